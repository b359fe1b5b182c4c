"""RSICap and RSIEval as in the folder `dataset/` of the RSGPT repository."""

from __future__ import annotations

import json
from pathlib import Path

from data.sources.miniatures.drawn import draw

TRAIN = ("P0378_0001.png", "P1077_0002.png")
TEST = ("P1384_0054.png",)
PAIRS = (
    ("Does this image contains trees?", "Yes.", "presence"),
    ("How many planes are there in this image?", "There are seven planes in the image.", "quantity"),
    ("What is the theme of the image?", "Parking lot.", "scene"),
    ("Where are the planes in the image?", "The upper part of the image.", "ab_position"),
    ("What is the color of the car in the image?", "White.", "color"),
)


def write(root: Path) -> None:
    home = root / "RSGPT/dataset"
    captions = [
        {"image_id": str(number), "filename": filename, "text_input": "Describe this image in detail.",
         "text_output": f" This is an aerial image {number} with high resolution."}
        for number, filename in enumerate(TRAIN)
    ]  # fmt: skip
    pairs = [{"question": question, "answer": answer, "type": kind} for question, answer, kind in PAIRS]
    questions = [{"filename": filename, "caption": "This is a high-resolution satellite image.", "qa_pairs": pairs}
                 for filename in TEST]  # fmt: skip
    for filename in TRAIN:
        draw(home / "RSICap/images" / filename, [], (51, 51))
    for filename in TEST:
        draw(home / "RSIEval/images" / filename, [], (51, 51))
    (home / "RSICap/captions.json").write_text(
        json.dumps({"annotations": captions}, indent=4), encoding="utf-8"
    )
    (home / "RSIEval/annotations.json").write_text(
        json.dumps({"annotations": questions}, indent=4), encoding="utf-8"
    )
