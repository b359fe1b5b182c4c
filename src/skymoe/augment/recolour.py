"""Attribute editing by recolouring: "the blue court" becomes "the red court", and the court becomes red.

Recoloured is the object inside its polygon or oriented box: outlines of more than eight corners as they are; inside
boxes, which hold ground too, what GrabCut finds to be the object. Without a clear outline nothing is recoloured.
Chroma is moved in Lab, luminance kept (`colours.py`). The colour is measured before and after: the phrase must be
true of both pictures, and where the phrase is the colour alone, no other object of the class may have it.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from skymoe.augment.colours import TARGETS, WORDS, Lab, move_chroma, names, shares, to_lab, to_pixels
from skymoe.augment.edited import GROUND, Edited, Outcome, Pixels, RefusedError, edited_sample, generator
from skymoe.augment.outlines import Outline, find_outline
from skymoe.augment.phrases import colour_words, swap_colour, without_colours
from skymoe.augment.stencils import cover
from skymoe.boxes import iou
from skymoe.sample import Edit, Expression, Sample
from skymoe.tasks.expressions import names_one, read_phrase, referents

CLEAR, MAYBE = 0.5, 0.2
"""An object has a colour if so much of it has; it may be said to have it from the smaller share on."""
REACHED = 0.7
"""Share of the recoloured pixels that must come out in the new colour."""
SMALLEST = 40
"""Pixels of an object below which its colour is nothing but the mixture with the ground."""


def recolour(
    sample: Sample, pixels: Pixels, *, seed: int = 0, name: str | None = None, variants: int = 1
) -> Outcome:
    """Up to ``variants`` pictures, in each of which one object has another colour, and its phrase the new word.

    Args:
        pixels: the sample's picture [height, width, 3], RGB; it is not changed.
        name: only objects of this class.

    Raises:
        RefusedError: where no phrase names an object by its colour, or no object can be given another.
    """
    rng = generator(seed, "recolour", sample)
    lab = to_lab(pixels)
    measured = _measured(sample, pixels, lab)
    phrases = _phrases(sample, measured, name)
    if not phrases:
        detail = (
            "no phrase with a colour word names exactly one object"
            if sample.regions
            else "has no annotated object"
        )
        raise RefusedError("no colour word", sample, detail)
    reasons: dict[str, int] = {}
    made: list[Edited] = []
    for index in rng.sample(sorted(phrases), len(phrases)):
        if len(made) == variants:
            break
        phrase = phrases[index]
        found = _recoloured(sample, pixels, lab, index, phrase, measured, seed, len(made) + 1, rng)
        if isinstance(found, str):
            reasons[found] = reasons.get(found, 0) + 1
        else:
            made.append(found)
    if not made:
        reason = max(reasons, key=lambda reason: reasons[reason])
        raise RefusedError(reason, sample, f"no object can be recoloured ({', '.join(sorted(reasons))})")
    return Outcome(
        made, {"no more objects to recolour": variants - len(made)} if len(made) < variants else {}
    )


class Measured(NamedTuple):
    """For each region its outline, if it has a clear one, and the shares of the colours inside it (else its box)."""

    outlines: list[Outline | None]
    shares: list[dict[str, float]]


def _measured(sample: Sample, pixels: Pixels, lab: Lab) -> Measured:
    outlines = [find_outline(region, pixels) for region in sample.regions]
    found = []
    for region, outline in zip(sample.regions, outlines, strict=True):
        stencil = cover(region, sample.width, sample.height) if outline is None else outline.stencil
        found.append(shares(lab[stencil.window][stencil.mask]))
    return Measured(outlines, found)


def _phrases(sample: Sample, measured: Measured, name: str | None) -> dict[int, str]:
    """For each region named by its colour: the data set's own phrase, else "the {colour} {class}" if that is one."""
    found: dict[int, str] = {}
    for expression in sample.expressions:
        if len(set(colour_words(expression.phrase))) != 1 or len(colour_words(expression.phrase)) != 1:
            continue
        for index, region in enumerate(sample.regions):
            if iou(region.box, expression.box) > 0.9 and name in (None, region.name):
                found.setdefault(index, expression.phrase)
    for index, region in enumerate(sample.regions):
        if (
            index in found
            or region.name not in sample.complete
            or region.difficult
            or name not in (None, region.name)
        ):
            continue
        if measured.outlines[index] is None or region.name in GROUND:
            continue
        colour = next((word for word, share in measured.shares[index].items() if share >= CLEAR), None)
        if colour is not None and _only_one(sample, measured, index, colour):
            found[index] = f"the {colour} {region.name}"
    return found


def _only_one(sample: Sample, measured: Measured, index: int, colour: str) -> bool:
    """Whether no other object of the class may be said to have the colour."""
    name = sample.regions[index].name
    return name in sample.complete and all(
        measured.shares[i].get(colour, 0.0) < MAYBE
        for i, region in enumerate(sample.regions)
        if region.name == name and i != index
    )


def _recoloured(
    sample: Sample, pixels: Pixels, lab: Lab, index: int, phrase: str, measured: Measured, seed: int,
    number: int, rng: Random,
) -> Edited | str:  # fmt: skip
    region = sample.regions[index]
    old = colour_words(phrase)[0]
    outline = measured.outlines[index]
    if outline is None:
        return "no clear outline"
    stencil = outline.stencil
    if int(stencil.mask.sum()) < SMALLEST:
        return "too small"
    mine = lab[stencil.window][stencil.mask]
    main = names(mine) == WORDS.index(old)
    if main.mean() < CLEAR:
        return "measured colour is not the phrase's"
    others = [i for i, other in enumerate(sample.regions) if i != index]
    covers = [cover(sample.regions[i], sample.width, sample.height) for i in others]
    if any(stencil.touches(other) for other in covers):
        return "touches another object"
    reason = "no other colour at this lightness"
    for colour in rng.sample(sorted(TARGETS), len(TARGETS)):
        if colour == old or not _stays_one(sample, measured, index, phrase, colour):
            continue
        moved = move_chroma(mine, main, colour)
        after = names(to_lab(to_pixels(moved)[None])[0]) == WORDS.index(colour)
        if after[main].mean() < REACHED or after.mean() < CLEAR:
            continue
        result = pixels.copy()
        result[stencil.window][stencil.mask] = _softened(mine, moved, outline)
        new_phrase = swap_colour(phrase, colour)
        edit = Edit(
            "recolour", region.name, seed, (region,), (region,), phrase=(phrase, new_phrase), words=(old, colour),
            outline=outline.polygon,
        )  # fmt: skip
        new = Expression(new_phrase, region.box, region.polygon)
        return Edited(edited_sample(sample, edit, number, sample.regions, new), result)
    return reason


def _stays_one(sample: Sample, measured: Measured, index: int, phrase: str, colour: str) -> bool:
    """Whether the phrase with the new colour still names this object and no other."""
    plain = without_colours(phrase)
    if names_one(plain, sample.regions, sample.width, sample.height):
        named = referents(plain, sample.regions, sample.width, sample.height)
        return (
            named is not None
            and named[0] is sample.regions[index]
            and sample.regions[index].name in sample.complete
        )
    read = read_phrase(plain, [sample.regions[index].name])
    return read is not None and read[0] is None and _only_one(sample, measured, index, colour)


def _softened(before: Lab, after: Lab, outline: Outline) -> Pixels:
    """The new colours, towards the rim of the outline mixed with the old: a hard edge would show. L* is the same."""
    share = outline.softness[outline.stencil.mask][:, None]
    mixed = after.copy()
    mixed[:, 1:] = share * after[:, 1:] + (1 - share) * before[:, 1:]
    return to_pixels(mixed)
