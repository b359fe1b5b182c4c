"""Values that other programs gave, stored with what they were given; `make.py` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def golden(name: str) -> dict[str, Any]:
    """One stored file."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
