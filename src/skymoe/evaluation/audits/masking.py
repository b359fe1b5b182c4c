"""The masking audit, the paper's Figure 1: objects are masked, more and more of them, and the model counts again.

A model that counts follows the true count down to nothing; one that guesses from the surroundings says what it said
before. A control picture has as many masks of the same shapes where no object is: there the count must stay.

Masks keep the rules of the cutout (`skymoe.augment.cutout`): none covers a part of an object that is left, so objects
that overlap are masked together, and a picture where one overlaps an object of another class is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from skymoe.augment.cutout import FILLS, fill_holes, maskable_groups
from skymoe.augment.edited import Pixels, generator
from skymoe.augment.stencils import Stencil, cover, shape
from skymoe.errors import UserError
from skymoe.evaluation.audits.bench import Bench, Settings, remade
from skymoe.evaluation.audits.examples import Shot, Strip, spread, thumbnail
from skymoe.evaluation.audits.masking_numbers import Series, follow, numbers
from skymoe.evaluation.benchmarks import Item
from skymoe.pictures import open_sample
from skymoe.sample import Sample

EXAMPLES = 4
SHOWN = range(2, 31)
"""Counts of the pictures that are shown: fewer tell little, more cannot be seen on a small picture."""
TRIES = 200


@dataclass(frozen=True, slots=True)
class Masked(Item):
    """A question on a picture in which the ``masked`` regions (indices) are hidden; ``original`` is the item's id.

    In a ``control`` as many masks lie beside the objects, and the answer is that of the original.
    """

    original: str = ""
    masked: tuple[int, ...] = ()
    total: int = 0
    control: bool = False

    def record(self) -> dict[str, Any]:
        """The prediction line's fields; ``reference`` is the number of objects that are left."""
        fields = {"original": self.original, "total": self.total, "masked": len(self.masked)}
        return {**Item.record(self), **fields, "control": self.control}


def run(bench: Bench) -> dict[str, Any]:
    """Ask the benchmark's counts under growing masks.

    Raises:
        UserError: where nothing can be masked, or for an unknown fill.
    """
    settings = bench.settings
    if settings.fill not in FILLS:
        raise UserError(f"fill {settings.fill!r}: choose one of {', '.join(FILLS)}")
    left_out: Counter[str] = Counter()
    items: list[Masked] = []
    for item in bench.items:
        made = masked_items(item, settings)
        if isinstance(made, str):
            left_out[made] += 1
        else:
            items += made
    if not items:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in left_out.items())
        raise UserError(f"{bench.benchmark.name}: no picture of the split can be masked: {reasons}")
    fill, seed = settings.fill, settings.seed
    records = bench.ask(
        f"masked-{fill}",
        items,
        alter=lambda item, picture: hide(item, picture, fill, seed),
        fill=fill,
        steps=settings.steps,
        seed=seed,
    )
    series = follow(records)
    found = numbers(series, settings.steps, settings.seed)
    return {
        **found,
        "fill": fill,
        "left_out": dict(left_out),
        "questions": len(records),
        "examples": list(_strips(items, series, fill, seed)),
    }


def masked_items(item: Item, settings: Settings) -> list[Masked] | str:
    """The item unmasked, with more and more of its objects masked up to all, and its control; or why not.

    The masks are nested: what is hidden stays hidden. With at most ``steps`` objects they go one by one.
    """
    sample, name = item.sample, item.query.subject or ""
    total = sample.count(name)
    if total is None:
        return "class not annotated exhaustively"
    if total == 0:
        return "no object to mask"
    stencils = _covers(sample)
    groups = maskable_groups(sample, name, stencils)
    if sum(map(len, groups)) < total:
        return "an object overlaps one of another class"
    rng = generator(settings.seed, "masking", sample)
    order = rng.sample(groups, len(groups))
    hidden: dict[int, tuple[int, ...]] = {0: ()}  # how many are masked: which
    for group in order:
        before = hidden[max(hidden)]
        hidden[len(before) + len(group)] = (*before, *group)
    wanted = [total * step / settings.steps for step in range(settings.steps + 1)]
    sizes = sorted({min(hidden, key=lambda m: (abs(m - want), m)) for want in wanted})
    made = [_masked(item, hidden[m], total) for m in sizes]
    if settings.fill == "inpaint" and not _can_be_healed(made):
        return "a hole cannot be filled well"
    control = replace(_masked(item, hidden[total], total), control=True)
    if _elsewhere(sample, control.masked, settings.seed) is not None:
        query = replace(item.query, target=str(total))
        made.append(
            replace(
                control, id=f"{item.id}~control", query=query, sample=_named(sample, f"{item.id}~control")
            )
        )
    return made


def hide(item: Item, picture: Image.Image, fill: str, seed: int) -> Image.Image:
    """The item's picture with its masks."""
    assert isinstance(item, Masked)
    if not item.masked:
        return picture
    pixels = np.asarray(picture)
    if item.control:
        holes = _elsewhere(item.sample, item.masked, seed)
        assert holes is not None, item.id
        # No ground is put in the place of ground: a control shows what the look of a mask does.
        found = fill_holes(pixels, holes, (), "mean" if fill == "inpaint" else fill)
    else:
        found = _painted(item, pixels, fill)
    assert found is not None, item.id
    return Image.fromarray(found)


def _painted(item: Masked, pixels: Pixels, fill: str) -> Pixels | None:
    size = (item.sample.width, item.sample.height)
    stencils = _covers(item.sample)
    regions = item.sample.regions
    holes = [stencils[i] if fill == "inpaint" else shape(regions[i], *size) for i in item.masked]
    return fill_holes(pixels, holes, stencils, fill)


def _masked(item: Item, which: tuple[int, ...], total: int) -> Masked:
    left = total - len(which)
    name = f"{item.id}~masked-{len(which)}"
    # The sample keeps all its regions: the masks are found by their places among them.
    query = replace(item.query, target=str(left))
    changes = {"id": name, "sample": _named(item.sample, name), "query": query}
    return remade(Masked, item, **changes, original=item.id, masked=which, total=total)


def _named(sample: Sample, name: str) -> Sample:
    """Another id: what shows another picture is another sample."""
    return sample.replace(id=name)


def _covers(sample: Sample) -> list[Stencil]:
    return [cover(region, sample.width, sample.height) for region in sample.regions]


def _elsewhere(sample: Sample, which: Sequence[int], seed: int) -> list[Stencil] | None:
    """The masks of the regions, each moved to where no object and no other mask is; None where there is no room."""
    taken = np.zeros((sample.height, sample.width), np.bool_)
    for stencil in _covers(sample):
        stencil.paint(taken)
    # The item's id differs from pass to pass, the places must not: the shapes decide.
    rng = Random(f"control/{seed}/{sample.image}/{sample.window}")
    placed: list[Stencil] = []
    holes = [shape(sample.regions[i], sample.width, sample.height) for i in which]
    for hole in sorted(holes, key=lambda hole: -hole.mask.size):
        height, width = hole.mask.shape
        for _ in range(TRIES):
            left, top = rng.randint(0, sample.width - width), rng.randint(0, sample.height - height)
            moved = hole.moved(left - hole.left, top - hole.top)
            if not (taken[moved.window] & moved.mask).any():
                moved.paint(taken)
                placed.append(moved)
                break
        else:
            return None
    return placed


def _can_be_healed(items: Sequence[Masked]) -> bool:
    picture = np.asarray(open_sample(items[0].sample))
    return all(_painted(item, picture, "inpaint") is not None for item in items if item.masked)


def _strips(items: Sequence[Masked], series: Sequence[Series], fill: str, seed: int) -> Iterator[Strip]:
    """Some pictures from the one whose count followed best to the one whose count did not."""
    by_original: dict[str, list[Masked]] = {}
    for item in items:
        by_original.setdefault(item.original, []).append(item)
    fitting = [one for one in series if one.total in SHOWN] or list(series)
    for one in spread(fitting, EXAMPLES, key=lambda one: (one.left_at_the_end, one.original)):
        versions = by_original[one.original]
        picture = open_sample(versions[0].sample)
        shots: list[Shot] = []
        for item in versions:
            said = one.control if item.control else one.said[item.total - len(item.masked)]
            title = "control" if item.control else f"{item.query.target} left" if item.masked else "as it is"
            shots.append(
                {
                    "picture": thumbnail(hide(item, picture, fill, seed)),
                    "title": title,
                    "text": f"true {item.query.target}, says {'?' if said is None else said}",
                    "right": said is not None and str(said) == item.query.target,
                }
            )
        question = versions[0].prompt
        yield {"title": f"{one.original}: {question}", "shots": shots}
