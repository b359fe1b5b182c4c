"""A whole analysis: questions, one or two models, numbers, and the files with them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import Benchmark
from skymoe.evaluation.routing import page
from skymoe.evaluation.routing.analysis import Labels, analyse, numbers
from skymoe.evaluation.routing.comparing import compare
from skymoe.evaluation.routing.information import SHUFFLES
from skymoe.evaluation.routing.questions import Asked, ask_everything
from skymoe.evaluation.routing.tracing import Traced, trace_all
from skymoe.evaluation.running import versions

if TYPE_CHECKING:
    from skymoe.engine import SkyMoe

Watch = Callable[[str, int], Callable[[int], None]]


@dataclass(frozen=True)
class Settings:
    """``limit`` is a number of pictures a data set, ``examples`` the number of pictures with expert maps.

    Raises:
        UserError: own answers are wanted to varied wordings.
    """

    split: str = "test"
    limit: int | None = 50
    answers: str = "reference"
    wording: str = "varied"
    batch_size: int = 16
    seed: int = 0
    shuffles: int = SHUFFLES
    examples: int = 6

    def __post_init__(self) -> None:
        if (self.answers, self.wording) == ("own", "varied"):
            raise UserError(
                "a model's own answers are those to the canonical wording: leave --wording varied away"
            )


@dataclass(frozen=True)
class Named:
    """A model to be analysed: ``engine`` loads it when its turn comes, so that two need not fit in memory at once."""

    name: str
    weights: str
    engine: Callable[[], SkyMoe]


def run(
    model: Named,
    benchmarks: Sequence[Benchmark],
    out: Path,
    settings: Settings = Settings(),
    *,
    against: Named | None = None,
    root: str | os.PathLike[str] | None = None,
    watch: Watch = lambda name, total: lambda done: None,
) -> dict[str, Any]:
    """Analyse a model, beside another one where given, and write ``routing.json`` and ``routing.html`` into ``out``.

    Raises:
        UserError: no data set is there, a model is dense, or ``out`` cannot be written.
    """
    asked, skipped = ask_everything(
        benchmarks, split=settings.split, limit=settings.limit, seed=settings.seed, root=root
    )
    page.claim(out)
    traces = {
        role: (
            one,
            trace_all(
                one.engine(),
                asked,
                answers=settings.answers,
                wording=settings.wording,
                batch_size=settings.batch_size,
                advance=watch(f"{one.name}: questions", len(asked)),
            ),
        )
        for role, one in (("model", model), ("against", against))
        if one is not None
    }
    examples = choose_examples(asked, settings.examples)
    report = assemble(traces, asked, settings, examples, watch)
    report["skipped"] = skipped
    (out / "ids.txt").write_text("".join(f"{one.id}\n" for one in asked), encoding="utf-8")
    page.replace(out / "routing.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    page.replace(out / "routing.html", page.page(report, [asked[n].sample for n in examples]))
    return report


def assemble(
    traces: Mapping[str, tuple[Named, Traced]],
    asked: Sequence[Asked],
    settings: Settings,
    examples: Sequence[int],
    watch: Watch = lambda name, total: lambda done: None,
) -> dict[str, Any]:
    """The report on what was traced: "model", and maybe "against". ``examples`` are places in ``asked``."""
    labels = Labels(asked, seed=settings.seed, shuffles=settings.shuffles)
    report: dict[str, Any] = {
        "kind": "routing",
        "day": time.strftime("%Y-%m-%d"),
        "settings": asdict(settings),
        "versions": versions(),
        "questions": len(asked),
        "pictures": len({one.picture for one in asked}),
        "asked": numbers(asked),
        "skipped": {},
    }
    for role, (one, traced) in traces.items():
        layers = analyse(traced, asked, labels, watch(f"{one.name}: layers", len(traced.layers)))
        report[role] = _described(one, traced, layers, asked, examples)
    if "against" in traces:
        (_, mine), (_, other) = traces["model"], traces["against"]
        pair = report["model"]["layers"], report["against"]["layers"]
        report["comparison"] = compare(mine, other, pair, asked, labels)
    return report


def choose_examples(asked: Sequence[Asked], most: int) -> list[int]:
    """The first question on each of so many pictures, from every data set in turn."""
    first: dict[str, int] = {}
    for number, one in enumerate(asked):
        first.setdefault(one.picture, number)
    by_source: dict[str, list[int]] = {}
    for number in first.values():
        by_source.setdefault(asked[number].source, []).append(number)
    rounds = max(map(len, by_source.values()), default=0)
    turns = [members[n] for n in range(rounds) for members in by_source.values() if n < len(members)]
    return sorted(turns[:most])


def _described(
    one: Named, traced: Traced, layers: list[dict[str, Any]], asked: Sequence[Asked], examples: Sequence[int]
) -> dict[str, Any]:
    shown = []
    for number in examples:
        maps, summary = traced.maps(number)
        shown.append(
            {
                "id": asked[number].id,
                "source": asked[number].source,
                "task": asked[number].query.task,
                "maps": [
                    {"layer": layer, "cells": cells, "summary": whole}
                    for layer, cells, whole in zip(traced.layers, maps, summary, strict=True)
                ],
            }
        )
    return {
        "name": one.name,
        "weights": one.weights,
        "experts": traced.experts,
        "top_k": traced.top_k,
        "side": traced.side,
        "parts": list(traced.parts),
        "conditioned": traced.conditioned,
        "layers": layers,
        "examples": shown,
    }


__all__ = ["Named", "Settings", "assemble", "choose_examples", "run"]
