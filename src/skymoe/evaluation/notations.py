"""Which notation a whole file's boxes are written in, where nobody says.

One answer alone often cannot tell: ``[10, 20, 30, 40]`` is pixels to one model and thousandths to the next. All answers
of a model together nearly always can, so the file decides once, by the answer that leaves least choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from skymoe.boxes import parse_boxes

_PAIRED = re.compile(r"\d\s*\)\s*,?\s*\(\s*[+-]?[\d.]")
_FRAME = 1e9  # larger than any number of a box, so that none is clipped


def notation_of(records: Sequence[Mapping[str, Any]], given: str = "auto") -> str:
    """``given``, or for "auto" the notation that all of the answers can be written in.

    Point pairs are qwen. Of lists, a number beyond its picture makes all of them qwen (0–1000; VHM's 0–999 cannot be
    told from it and differs by a thousandth), else one above 1 makes them pixel, else they are unit. Without any list
    it is geochat.
    """
    if given != "auto":
        return given
    votes = {_vote(record) for record in records}
    return next((kind for kind in ("qwen", "pixel", "unit") if kind in votes), "geochat")


def _vote(record: Mapping[str, Any]) -> str | None:
    text = record["prediction"]
    if parse_boxes(text, 1, 1, "geochat"):
        return None
    written = parse_boxes(text, _FRAME, _FRAME, "pixel")
    if not written:
        return None
    if _PAIRED.search(text):
        return "qwen"
    width, height = record.get("input_size") or (record["width"], record["height"])
    if all(max(box.xyxy) <= 1 for box in written):
        return "unit"
    return "pixel" if all(box.x2 <= width and box.y2 <= height for box in written) else "qwen"
