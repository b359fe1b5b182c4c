"""The checker catches edits that are broken on purpose, each kind of fault by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("cv2", reason="augmentation needs OpenCV: pip install 'skymoe[augment]'")

from tests.augment.pictures import BLUE, NAME, WHITE, grid, original, scene

from skymoe.augment import Edited, check, cutout, recolour, relocate
from skymoe.augment.check_colour import is_called, lightness_moved
from skymoe.augment.check_geometry import inside, names_only, overlap
from skymoe.boxes import Box, rotated_iou
from skymoe.sample import Expression, Region, Sample

Case = tuple[Sample, NDArray[np.uint8], Edited]
Break = Callable[[Sample, NDArray[np.uint8], Edited], Edited]


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    sample, pixels = scene(grid(4, 3))
    four, place = scene([(60, 50), (230, 60), (70, 190), (160, 120)])
    two, colour = scene([(80, 80), (220, 150)], colours=[BLUE, WHITE], radius=20)
    return {
        "cutout": (sample, pixels, cutout(sample, pixels).variants[0]),
        "relocate": (four, place, relocate(four, place).variants[0]),
        "recolour": (two, colour, recolour(two, colour).variants[0]),
    }


def edited(variant: Edited, **changes: object) -> Edited:
    (edit,) = variant.sample.edits
    return Edited(variant.sample.replace(edits=(replace(edit, **changes),)), variant.pixels)


def painted(variant: Edited, box: tuple[float, ...], colour: object) -> Edited:
    pixels = variant.pixels.copy()
    x1, y1, x2, y2 = (int(v) for v in box)
    pixels[y1:y2, x1:x2] = colour
    return Edited(variant.sample, pixels)


def unmasked(sample: Sample, pixels: NDArray[np.uint8], variant: Edited) -> Edited:
    x1, y1, x2, y2 = (int(v) for v in variant.sample.edits[0].before[0].box)
    return painted(variant, (x1, y1, x2, y2), pixels[y1:y2, x1:x2])


def with_box(variant: Edited, shift: tuple[int, int]) -> Edited:
    """The same picture, but the moved object's box is said to be elsewhere."""
    (edit,) = variant.sample.edits
    (new,) = edit.after
    dx, dy = shift
    box = (new.box[0] + dx, new.box[1] + dy, new.box[2] + dx, new.box[3] + dy)
    moved = replace(new, box=box)
    regions = tuple(moved if region == new else region for region in variant.sample.regions)
    expressions = tuple(replace(e, box=box) if e.box == new.box else e for e in variant.sample.expressions)
    sample = variant.sample.replace(
        regions=regions, expressions=expressions, edits=(replace(edit, after=(moved,)),)
    )
    return Edited(sample, variant.pixels)


def hole_left(sample: Sample, pixels: NDArray[np.uint8], variant: Edited) -> Edited:
    return unmasked(sample, pixels, variant)


def other_cell(sample: Sample, pixels: NDArray[np.uint8], variant: Edited) -> Edited:
    old, new = variant.sample.edits[0].words
    cell = "central" if new != "central" else "leftmost"
    phrase = variant.sample.edits[0].phrase[1].replace(new, cell)
    box = variant.sample.edits[0].after[0].box
    changed = edited(variant, words=(old, cell), phrase=(variant.sample.edits[0].phrase[0], phrase))
    return Edited(changed.sample.replace(expressions=(Expression(phrase, box),)), variant.pixels)


def brighter(sample: Sample, pixels: NDArray[np.uint8], variant: Edited) -> Edited:
    changed = (variant.pixels != pixels).any(axis=2)
    lit = variant.pixels.astype(int)
    lit[changed] += 25
    return Edited(variant.sample, np.clip(lit, 0, 255).astype(np.uint8))


def other_word(sample: Sample, pixels: NDArray[np.uint8], variant: Edited) -> Edited:
    (edit,) = variant.sample.edits
    word = next(w for w in ("red", "green", "purple") if w not in edit.words)
    phrase = f"the {word} {NAME}"
    changed = edited(variant, words=(edit.words[0], word), phrase=(edit.phrase[0], phrase))
    return Edited(
        changed.sample.replace(expressions=(Expression(phrase, edit.after[0].box),)), variant.pixels
    )


def new_box(variant: Edited) -> tuple[float, ...]:
    return variant.sample.edits[0].after[0].box


def fewer(sample: Sample, pixels: NDArray[np.uint8], variant: Edited) -> Edited:
    return Edited(variant.sample.replace(regions=variant.sample.regions[1:]), variant.pixels)


def silent(sample: Sample, pixels: NDArray[np.uint8], variant: Edited) -> Edited:
    return Edited(variant.sample.replace(expressions=()), variant.pixels)


def placeless(sample: Sample, pixels: NDArray[np.uint8], variant: Edited) -> Edited:
    return edited(variant, phrase=(variant.sample.edits[0].phrase[0], "it"))


FAULTS: list[tuple[str, str, Break]] = [
    ("cutout", "mask: a masked object is not zero", unmasked),
    ("cutout", "kept: pixels of another object", lambda s, p, v: painted(v, v.sample.regions[0].box, 0)),
    ("cutout", "kept: pixels far from the edit", lambda s, p, v: painted(v, (290, 230, 295, 235), 7)),
    ("cutout", "count: says", lambda s, p, v: edited(v, count=(12, 11))),
    ("cutout", "masked does not follow from the ratio", lambda s, p, v: edited(v, ratio=0.05)),
    ("cutout", "count: kept and masked", fewer),
    ("cutout", "mask: a masked object is not of the mean", lambda s, p, v: edited(v, fill="mean")),
    ("cutout", "pair:", lambda s, p, v: Edited(v.sample.replace(pair="another"), v.pixels)),
    ("cutout", "edit: an edited object is not in", lambda s, p, v: edited(v, before=(Region(NAME, (1, 1, 9, 9)),))),
    ("cutout", "edit: unknown kind", lambda s, p, v: edited(v, kind="magic")),
    ("cutout", "edit: the sample does not tell", lambda s, p, v: Edited(v.sample.replace(edits=()), v.pixels)),
    ("cutout", "size:", lambda s, p, v: Edited(v.sample, v.pixels[1:])),
    ("relocate", "hole: ", hole_left),
    ("relocate", "box: not tight", lambda s, p, v: with_box(v, (2, 2))),
    ("relocate", "object: what lies in the new place", lambda s, p, v: painted(v, new_box(v), 128)),
    ("relocate", "cell: the object is not in", other_cell),
    ("relocate", "phrase: the new one does not point", silent),
    ("relocate", "phrase: it does not say the cell", placeless),
    ("recolour", "colour: it is not", other_word),
    ("recolour", "lightness: ", brighter),
    ("recolour", "colour: most of the object did not", lambda s, p, v: Edited(v.sample, p.copy())),
    ("recolour", "outline: it leaves", lambda s, p, v: edited(v, outline=(0, 0, 290, 0, 290, 200, 0, 200))),
    ("recolour", "phrase: the colour words", lambda s, p, v: edited(v, words=("pink", "red"))),
]  # fmt: skip


def test_what_is_right_passes(cases: dict[str, Case]) -> None:
    for sample, pixels, variant in cases.values():
        assert check(original(sample), variant.sample, pixels, variant.pixels) == []


@pytest.mark.parametrize(
    ("kind", "fault", "spoil"), FAULTS, ids=[f"{kind}: {fault}" for kind, fault, _ in FAULTS]
)
def test_what_is_broken_is_caught(kind: str, fault: str, spoil: Break, cases: dict[str, Case]) -> None:
    sample, pixels, variant = cases[kind]
    broken = spoil(sample, pixels, variant)
    found = check(original(sample), broken.sample, pixels, broken.pixels)
    assert any(fault in said for said in found), found


def test_an_object_put_onto_another_is_caught(cases: dict[str, Case]) -> None:
    sample, pixels, variant = cases["relocate"]
    (edit,) = variant.sample.edits
    neighbour = replace(edit.after[0], box=tuple(v + 4 for v in edit.after[0].box), name="ship")
    both = variant.sample.replace(regions=(*variant.sample.regions, neighbour))
    found = check(
        original(sample.replace(regions=(*sample.regions, neighbour))), both, pixels, variant.pixels
    )
    assert "overlap: the moved object has an IoU of 0.1 or more with another" in found
    assert "kept: pixels of another object changed" in found


def test_a_phrase_that_two_objects_fit_is_caught() -> None:
    sample = Sample("a", "a", "a", "train", "none", 300, 300)
    one, near, far = (Region("ship", (x, x, x + 20, x + 20)) for x in (10, 14, 200))
    assert names_only(one, [far], (0, 0), sample)
    assert not names_only(one, [near, far], (0, 0), sample)
    assert not names_only(far, [one], (0, 1), sample)


def test_the_checkers_overlap_agrees_with_the_exact_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        boxes = [
            Box(x, y, x + w, y + h, angle)
            for x, y, w, h, angle in rng.uniform((20, 20, 20, 20, -80), (50, 50, 60, 60, 80), (2, 5)).tolist()
        ]
        regions = [Region("ship", box.enclosing().xyxy, box.polygon()) for box in boxes]
        assert overlap(*regions) == pytest.approx(rotated_iou(*boxes), abs=0.02)


def test_pixels_inside_a_shape_are_those_whose_middle_is() -> None:
    window, within = inside(Region("ship", (10, 20, 13, 22)), (100, 100))
    assert within.sum() == 6
    ys, xs = np.nonzero(within)
    assert (xs.min() + window[1].start, ys.min() + window[0].start) == (10, 20)
    triangle = Region("ship", (0, 0, 10, 10), (0.0, 0.0, 10.0, 0.0, 0.0, 10.0))
    assert inside(triangle, (100, 100))[1].sum() == pytest.approx(50, abs=6)


def test_lightness_is_measured() -> None:
    grey = np.tile(np.arange(40, 200, dtype=np.uint8)[:, None], (1, 3))
    assert lightness_moved(grey, grey) is None
    assert "moved by" in (lightness_moved(grey, grey + 10) or "")
    assert lightness_moved(grey, grey[::-1]) is not None
    assert not is_called(grey, "red")
    assert not is_called(grey, "turquoise")
