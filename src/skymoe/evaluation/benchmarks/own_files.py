"""A user's own files as benchmarks, one for each task that fits: `skymoe eval --data finetune.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from skymoe.data.sources import FORMATS, Source, get_source
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks.base import Benchmark, Chooser
from skymoe.evaluation.benchmarks.choosing import expressions, official, referring
from skymoe.sample import Sample
from skymoe.tasks import Query, get_task


def _balanced(task: str) -> Chooser:
    """What is there, and of what is not at most as much: else "no" and 0 would be most of the answers."""
    return lambda sample: get_task(task).queries(sample, Random(f"own/{sample.id}"))


def _phrases(sample: Sample) -> list[Query]:
    """The files' own expressions, else derived ones."""
    return referring(sample) or expressions(3)(sample)


_ASKED: dict[str, tuple[str, Chooser]] = {
    "caption": ("captions", official("caption")),
    "classify": ("scenes", official("classify")),
    "vqa": ("questions", _balanced("vqa")),
    "count": ("counting", _balanced("count")),
    "ground": ("grounding", _phrases),
}


def own_benchmarks(data: str, options: Mapping[str, Any], split: str = "test") -> list[Benchmark]:
    """The benchmarks `NAME-count`, `NAME-ground` … of a user's files.

    `data` is a reader's name, which reads with `options` and gives NAME unless the option `called` does; or the path of
    a training recipe, whose sources are asked about: what is trained on and what is held out is then said once.

    Raises:
        UserError: there is no such reader or recipe, the files can't be read, or nothing can be asked in that split.
    """
    if data.endswith((".yaml", ".yml")):
        return _of_recipe(data, options, split)
    if data not in FORMATS:
        known = ", ".join(FORMATS)
        raise UserError(f"--data {data!r} must be one of {known}, with -o, or a training recipe (.yaml)")
    # The benchmark keeps its folder apart from its options.
    reading = {option: value for option, value in options.items() if option != "root"}
    source = get_source(data, options.get("root"), **reading)
    return _of_source(source, data, reading, split, source.root if "root" in options else None)


def _of_recipe(path: str, options: Mapping[str, Any], split: str) -> list[Benchmark]:
    from skymoe.train.recipe import load_recipe

    if options:
        raise UserError(f"--option: {path} says where its files are, leave -o out")
    sources = load_recipe(path).data.sources
    if not sources:
        raise UserError(
            f"{path} trains on a corpus, which holds training pictures alone: give --data a reader"
        )
    found = []
    for mix in sources:
        named = {"called": mix.label, **mix.options} if mix.label and mix.name in FORMATS else mix.options
        found += _of_source(get_source(mix.name, mix.root, **named), mix.name, named, split, mix.root)
    return found


def _of_source(
    source: Source, reader: str, options: Mapping[str, Any], split: str, root: Path | None = None
) -> list[Benchmark]:
    samples = list(source.samples(split))
    if not samples:
        why = (
            f"{len(source.quarantined)} entries can't be used"
            if source.quarantined
            else "nothing is held out"
        )
        raise UserError(
            f"{source.name}: there is no picture in the split {split!r} ({why}): "
            "leave the option split out, or give shares, such as shares=0.7,0,0.3"
        )
    folder = "" if root is None else str(root.absolute())
    found = [
        Benchmark(
            f"{source.name}-{task}", f"{source.name}, {what}", task, reader, choose, "your own files",
            options=dict(options), folder=folder, by_class=task == "count",
        )
        for task, (what, choose) in _ASKED.items()
        if any(choose(sample) for sample in samples)
    ]  # fmt: skip
    if not found:
        raise UserError(f"{source.name}: nothing is annotated in the split {split!r} that could be asked")
    return found
