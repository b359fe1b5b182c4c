"""The tiny base and its data, written once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_base import write_corpus, write_llava, write_samples


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `llava` (a checkpoint), `samples` and `corpus`."""
    folder = tmp_path_factory.mktemp("tiny")
    write_llava(folder / "llava")
    write_samples(folder / "samples")
    write_corpus(folder / "corpus", folder / "samples")
    return folder
