"""Benchmarks as data: which samples of which source are asked what, and which numbers come out.

A benchmark's prompts are the canonical ones of its task, its answers are read by its task, its metrics are those of its
task: nothing of that is repeated here, so training, evaluation and the command line cannot drift apart.

base.py      the value itself              captioning.py questions.py grounding.py counting.py scenes.py mgrs.py
choosing.py  which questions are asked         the paper's 21            own.py   nano's own
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from skymoe.errors import UserError
from skymoe.evaluation.benchmarks.base import Benchmark, Chooser, Item, Root, pictures
from skymoe.evaluation.benchmarks.captioning import CAPTIONING
from skymoe.evaluation.benchmarks.choosing import count_of, counted, expressions, official, referring
from skymoe.evaluation.benchmarks.counting import COUNTING
from skymoe.evaluation.benchmarks.grounding import GROUNDING
from skymoe.evaluation.benchmarks.mgrs import MGRS
from skymoe.evaluation.benchmarks.own import OWN
from skymoe.evaluation.benchmarks.questions import QUESTIONS
from skymoe.evaluation.benchmarks.scenes import SCENES

_KNOWN = {one.name: one for one in (*CAPTIONING, *QUESTIONS, *GROUNDING, *COUNTING, *SCENES, *MGRS, *OWN)}
# What nano has always been judged by stands first, in its old order: reports keep theirs.
_FIRST = (
    "ucm-captions", "rsicd", "aid-rsicd-test", "ucm-scenes", "rsivqa-ucm", "rsivqa-ucm-themes", "rsivqa-rsicd-themes",
    "airbus-count", "airbus-ground",
)  # fmt: skip
BENCHMARKS: dict[str, Benchmark] = {name: _KNOWN[name] for name in (*_FIRST, *_KNOWN)}

FAMILIES: dict[str, tuple[str, ...]] = {
    "paper": tuple(name for name, one in _KNOWN.items() if one.published),
    "captioning": tuple(one.name for one in CAPTIONING),
    "questions": tuple(one.name for one in QUESTIONS),
    "grounding": tuple(one.name for one in GROUNDING),
    "counting": tuple(one.name for one in COUNTING),
    "scenes": tuple(one.name for one in SCENES),
    "mgrs-bench": tuple(one.name for one in MGRS),
    "nano": _FIRST,
}
"""Names for several at once: "paper" is all of the SkyMoE paper's 21 (MGRS-Bench being five here)."""

_ALSO = {other: one.name for one in BENCHMARKS.values() for other in one.also}


def get_benchmark(name: str) -> Benchmark:
    """The benchmark of that name; UserError with the nearest known one for any other."""
    wanted = _ALSO.get(name, name)
    if wanted not in BENCHMARKS:
        if name in FAMILIES:
            raise UserError(f"{name!r} is a family of benchmarks; choose one of {', '.join(FAMILIES[name])}")
        near = difflib.get_close_matches(name, [*BENCHMARKS, *_ALSO, *FAMILIES], 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BENCHMARKS)}"
        raise UserError(f"no benchmark is called {name!r}; {hint}")
    return BENCHMARKS[wanted]


def select(names: Sequence[str]) -> list[Benchmark]:
    """The benchmarks of these names and families, each once, in the order in which they are named."""
    found: dict[str, Benchmark] = {}
    for name in names:
        for member in FAMILIES.get(name, (name,)):
            benchmark = get_benchmark(member)
            found[benchmark.name] = benchmark
    return list(found.values())


def available(root: Root = None) -> list[Benchmark]:
    """Those whose data are there."""
    return [one for one in BENCHMARKS.values() if one.state(root).found]


__all__ = [
    "BENCHMARKS", "FAMILIES", "Benchmark", "Chooser", "Item", "available", "count_of", "counted", "expressions",
    "get_benchmark", "official", "pictures", "referring", "select",
]  # fmt: skip
