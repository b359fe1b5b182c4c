"""The miniature data sets (committed, and a copy that tests may damage) and the real ones where they are
there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from skymoe.data.sources import data_root

MINIATURES = Path(__file__).parents[1] / "fixtures" / "data"


@pytest.fixture
def miniatures() -> Path:
    return MINIATURES


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A copy of the miniatures for a test to break."""
    return Path(shutil.copytree(MINIATURES, tmp_path / "data"))


@pytest.fixture
def real() -> Path:
    root = data_root()
    if not root.is_dir():
        pytest.skip(f"no real data at {root} (SKYMOE_DATA)")
    return root
