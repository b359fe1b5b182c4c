"""COCO's masks: the runs, packed and unpacked, and the boxes of what they cover."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from data.sources.miniatures.rrsis_d import runs
from skymoe.boxes import oriented_box
from skymoe.data.sources.coco_masks import mask_boxes, packed, unpacked
from skymoe.data.sources.objects import DamagedError


def test_packed_runs_come_back() -> None:
    rng = Random(0)
    for _ in range(200):
        numbers = [
            rng.choice((0, 1, 15, 16, 31, 32, rng.randrange(640_000))) for _ in range(rng.randrange(1, 12))
        ]
        assert unpacked(packed(numbers)) == numbers


def test_the_same_as_pycocotools() -> None:
    masks = pytest.importorskip("pycocotools.mask")
    import numpy as np

    rng = np.random.default_rng(0)
    for _ in range(30):
        mask = np.zeros((40, 50), dtype=np.uint8, order="F")
        y, x, height, width = rng.integers((0, 0, 1, 1), (30, 40, 10, 10))
        mask[y : y + height, x : x + width] = rng.random((height, width)) < 0.7
        mask[y, x] = 1
        code: dict[str, Any] = masks.encode(mask)
        text = code["counts"].decode()
        assert packed(unpacked(text)) == text
        x0, y0, w, h = masks.toBbox(code)
        assert mask_boxes({"size": [40, 50], "counts": text})[0] == (x0, y0, x0 + w, y0 + h)


def test_boxes_of_masks_and_polygons() -> None:
    mask = {"size": [60, 80], "counts": packed(runs((11, 10, 30, 29)))}
    box, outline = mask_boxes([mask])
    assert box == (11, 10, 30, 29)
    assert oriented_box(outline).area == pytest.approx(19 * 19)
    plain = {"size": [60, 80], "counts": runs((11, 10, 30, 29))}
    assert mask_boxes(plain)[0] == mask_boxes([mask, plain])[0] == box
    assert mask_boxes({"size": [60, 80], "counts": packed(runs((11, 0, 30, 60)))})[0] == (11, 0, 30, 60)
    diamond = [20, 10, 30, 20, 20, 30, 10, 20]
    assert mask_boxes([diamond])[0] == mask_boxes(diamond)[0] == (10, 10, 30, 30)
    assert oriented_box(mask_boxes([diamond])[1]).area == pytest.approx(200)


@pytest.mark.parametrize(
    "broken",
    [
        None, [], "x", [1, 2], {"counts": "1"}, {"size": [60, 80]}, {"size": [60, 80], "counts": "é"},
        {"size": [60, 80], "counts": packed([10, 20])}, {"size": [60, 80], "counts": packed([4800])},
        {"size": [60, 80], "counts": packed(runs((11, 10, 30, 29)))[:-1]}, {"size": [60], "counts": [1]},
        {"size": [0, 0], "counts": [0]}, {"size": [2, 2], "counts": [5, -1]},
    ],
)  # fmt: skip
def test_damaged_masks_have_a_reason(broken: object) -> None:
    with pytest.raises(DamagedError, match="mask"):
        mask_boxes(broken)
