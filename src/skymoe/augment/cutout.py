"""Count-varying cutout: some objects of a class are masked, so that the count changes and the scene does not.

The paper masks m = ⌈r·N⌉ of N objects, r ~ U(0.15, 0.30), in four variants a picture whose counts differ by at
least ⌈0.1·N⌉. Between the variants that cannot be (m spans 0.15·N only); against the original it always holds. So
here the variants have different m, min(4, as many as there are), and the shortfall is told.

A mask never covers part of an object that is kept: objects of the class that overlap are masked together, and one
that overlaps an object of another class is not masked at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from skymoe.augment.edited import Edited, Outcome, Pixels, RefusedError, edited_sample, generator
from skymoe.augment.healing import heal_object
from skymoe.augment.stencils import Stencil, cover, shape
from skymoe.errors import UserError
from skymoe.sample import Edit, Sample
from skymoe.tasks.wording import pluralise

FILLS = ("zero", "mean", "inpaint")
VARIANTS = 4
LEAST, MOST = 0.15, 0.30


def maskable(count: int) -> range:
    """Every m = ⌈r·count⌉ with r in [0.15, 0.30]."""
    return range(-(-15 * count // 100), -(-30 * count // 100) + 1)


def draw_ratios(count: int, variants: int, rng: Random) -> list[tuple[int, float]]:
    """Pairs m, r with m = ⌈r·count⌉ and r uniform in [0.15, 0.30]; min(``variants``, possible) different m."""
    possible = maskable(count)
    found: dict[int, float] = {}
    for _ in range(64):
        if len(found) == min(variants, len(possible)):
            break
        ratio = rng.uniform(LEAST, MOST)
        found.setdefault(min(max(_masked(ratio, count), possible[0]), possible[-1]), ratio)
    for m in possible:  # an m that only r = 0.15 gives is never drawn
        if len(found) < min(variants, len(possible)):
            found.setdefault(m, min(max(m / count, LEAST), MOST))
    return list(found.items())


def _masked(ratio: float, count: int) -> int:
    return int(np.ceil(ratio * count - 1e-9))


def cutout(
    sample: Sample,
    pixels: Pixels,
    *,
    seed: int = 0,
    name: str | None = None,
    fill: str = "zero",
    variants: int = VARIANTS,
) -> Outcome:
    """Up to ``variants`` pictures with fewer objects of one class, which is drawn unless ``name`` says it.

    Args:
        pixels: the sample's picture [height, width, 3], RGB; it is not changed.
        fill: "zero" (the paper), "mean" (the picture's mean colour) or "inpaint" (ground from nearby).

    Raises:
        RefusedError: where no class is annotated exhaustively, or there are fewer than two objects that can be masked.
    """
    if fill not in FILLS:
        raise UserError(f"fill {fill!r}: choose one of {', '.join(FILLS)}")
    rng = generator(seed, "cutout", sample)
    name = name or _class(sample, rng)
    total = sample.count(name)
    if total is None:
        raise RefusedError(
            "class not annotated exhaustively", sample, f"not every {name} is annotated, no count is true"
        )
    if total < 2:
        found = f"only one {name}" if total else f"no {name}"
        raise RefusedError(
            "one object only" if total else "no object",
            sample,
            f"has {found}; a cutout needs two, to keep one",
        )
    stencils = [cover(region, sample.width, sample.height) for region in sample.regions]
    groups = maskable_groups(sample, name, stencils)
    if not groups:
        raise RefusedError(
            "objects overlap", sample, f"every {name} overlaps another object, none can be masked alone"
        )
    made: list[Edited] = []
    missing: dict[str, int] = {}
    size = (sample.width, sample.height)
    drawn = draw_ratios(total, variants, rng)
    if len(drawn) < variants:
        missing["too few objects for as many different counts"] = variants - len(drawn)
    for m, ratio in drawn:
        chosen = _choose(groups, m, rng)
        if chosen is None:
            missing["objects overlap"] = missing.get("objects overlap", 0) + 1
            continue
        masked = tuple(sample.regions[i] for i in chosen)
        edit = Edit(
            "cutout", name, seed, masked, fill=fill, ratio=ratio, count=(total, total - m)
        )  # fmt: skip
        regions = tuple(region for i, region in enumerate(sample.regions) if i not in set(chosen))
        # Ground is put in with a rim; a mask is the object and not a pixel more.
        holes = [stencils[i] if fill == "inpaint" else shape(sample.regions[i], *size) for i in chosen]
        filled = fill_holes(pixels, holes, stencils, fill)
        if filled is None:
            missing["a hole cannot be filled well"] = missing.get("a hole cannot be filled well", 0) + 1
            continue
        made.append(Edited(edited_sample(sample, edit, len(made) + 1, regions), filled))
    if not made and "a hole cannot be filled well" in missing:
        raise RefusedError(
            "a hole cannot be filled well",
            sample,
            "there is no ground like that of the objects to fill their place",
        )
    if not made:
        raise RefusedError(
            "objects overlap", sample, f"the {pluralise(name)} overlap, no right number of them can be masked"
        )
    return Outcome(made, missing)


def _class(sample: Sample, rng: Random) -> str:
    """One of the exhaustively annotated classes with two objects or more, else the one with most."""
    counts = {name: sample.count(name) or 0 for name in sorted(sample.complete)}
    if not counts:
        raise RefusedError(
            "class not annotated exhaustively",
            sample,
            "no class of it is annotated exhaustively, no count is true",
        )
    several = [name for name, count in counts.items() if count > 1]
    return rng.choice(several) if several else max(counts, key=lambda name: counts[name])


def maskable_groups(sample: Sample, name: str, stencils: Sequence[Stencil]) -> list[list[int]]:
    """Indices of the class's regions that must be masked together; groups that touch other classes are left out."""
    mine = [i for i, region in enumerate(sample.regions) if region.name == name and stencils[i].mask.size]
    others = [stencils[i] for i, region in enumerate(sample.regions) if region.name != name]
    groups: list[list[int]] = []
    for i in mine:
        joined = [group for group in groups if any(stencils[i].touches(stencils[j]) for j in group)]
        merged = [*(j for group in joined for j in group), i]
        groups = [group for group in groups if group not in joined] + [merged]
    return [
        sorted(group)
        for group in groups
        if not any(stencils[i].touches(other) for i in group for other in others)
    ]


def _choose(groups: list[list[int]], m: int, rng: Random) -> list[int] | None:
    """Whole groups with ``m`` regions together, at random; None where there are none."""
    shuffled = rng.sample(groups, len(groups))
    # reached[k]: the groups that make up k regions, first found in the shuffled order.
    reached: dict[int, list[int]] = {0: []}
    for number, group in enumerate(shuffled):
        for size, used in sorted(reached.items(), reverse=True):
            if size + len(group) <= m:
                reached.setdefault(size + len(group), [*used, number])
    if m not in reached:
        return None
    return sorted(i for number in reached[m] for i in shuffled[number])


def fill_holes(
    pixels: Pixels, holes: Sequence[Stencil], stencils: Sequence[Stencil], fill: str
) -> Pixels | None:
    """The picture without the objects; None where an "inpaint" would be seen at once."""
    if fill == "inpaint":
        taken = np.zeros(pixels.shape[:2], np.bool_)
        for stencil in stencils:
            stencil.paint(taken)
        healed: Pixels | None = pixels
        for hole in holes:
            if healed is not None:
                healed = heal_object(healed, hole, holes, taken)
        return healed
    filled = pixels.copy()
    colour = 0 if fill == "zero" else np.round(pixels.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    for hole in holes:
        filled[hole.window][hole.mask] = colour
    return filled
