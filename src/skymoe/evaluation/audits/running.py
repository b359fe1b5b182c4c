"""All audits of a model: audit by audit, benchmark by benchmark, the report written after each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skymoe.errors import UserError
from skymoe.evaluation.audits import blind, calibration, invariance, masking, phrasing, report, resolution
from skymoe.evaluation.audits.bench import Bench, Settings, Watch
from skymoe.evaluation.audits.measures import JUDGED
from skymoe.evaluation.benchmarks import Benchmark, pictures
from skymoe.evaluation.predictions import OTHER, Engine, EngineLost
from skymoe.evaluation.running import prepare, versions
from skymoe.outputs import Unwritable, alone_in, writing

EVERY = ("caption", *JUDGED)


@dataclass(frozen=True)
class Audit:
    """``asks`` is the question it answers, ``tasks`` those whose benchmarks it is made for."""

    name: str
    title: str
    asks: str
    tasks: tuple[str, ...]
    run: Callable[[Bench], dict[str, Any]]


_ALL = (
    Audit(
        "masking",
        "Masking",
        "Does the count follow when objects are masked?",
        ("count",),
        masking.run,
    ),
    Audit(
        "blind", "Blind runs", "What is left of the numbers when the picture is taken away?", EVERY, blind.run
    ),
    Audit("phrasing", "Phrasing", "Does the answer depend on how the question is put?", JUDGED, phrasing.run),
    Audit(
        "resolution",
        "Resolution",
        "What is lost with half and a quarter of the detail?",
        EVERY,
        resolution.run,
    ),
    Audit(
        "invariance", "Invariance", "Do order, company or repetition change an answer?", EVERY, invariance.run
    ),
    Audit(
        "calibration", "Calibration", "Is the model right as often as it is sure?", JUDGED, calibration.run
    ),
)
PLAIN = Settings()
AUDITS: dict[str, Audit] = {one.name: one for one in _ALL}


def select(names: Sequence[str]) -> list[Audit]:
    """The audits of these names, all where none are given; a name may hold several, "masking,blind".

    Raises:
        UserError: for a name that is none.
    """
    wanted = [name.strip() for part in names for name in part.split(",") if name.strip()]
    for name in wanted:
        if name not in AUDITS:
            raise UserError(f"no audit is called {name!r}: choose among {', '.join(AUDITS)}")
    return [audit for audit in _ALL if not wanted or audit.name in wanted]


def audit(
    engine: Engine,
    model: dict[str, str],
    benchmarks: Sequence[Benchmark],
    out: Path,
    settings: Settings = PLAIN,
    *,
    audits: Sequence[Audit] = _ALL,
    root: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    watch: Watch = lambda name, total: lambda done: None,
) -> dict[str, Any]:
    """Audit a model and write answers and the report (JSON, Markdown, HTML) into ``out``; the report is returned.

    An audit is made on those of the benchmarks whose task it is for. What cannot be done is skipped with the reason.
    ``fresh`` throws earlier answers away; otherwise they are used.

    Raises EngineLost where the model stops answering; the same call continues. Unwritable where ``out`` cannot be
    written, or another run is writing it.
    """
    with alone_in(out, OTHER):
        return _audit(engine, model, benchmarks, out, settings, audits, root, fresh, watch)


def _audit(
    engine: Engine,
    model: dict[str, str],
    benchmarks: Sequence[Benchmark],
    out: Path,
    settings: Settings,
    audits: Sequence[Audit],
    root: str | os.PathLike[str] | None,
    fresh: bool,
    watch: Watch,
) -> dict[str, Any]:
    results: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    found = {
        "model": model,
        "settings": asdict(settings),
        "versions": versions(),
        "audits": {
            one.name: {"title": one.title, "asks": one.asks, "results": results.setdefault(one.name, {})}
            for one in audits
        },
        "skipped": skipped,
    }
    benches: dict[str, Bench | str] = {}
    for benchmark in benchmarks:
        if any(benchmark.task in one.tasks for one in audits):
            benches[benchmark.name] = _bench(engine, model, benchmark, out, settings, root, fresh, watch)
    for one in audits:
        for benchmark in benchmarks:
            if benchmark.task not in one.tasks:
                continue
            bench = benches[benchmark.name]
            if isinstance(bench, str):
                skipped.setdefault(benchmark.name, bench)
                continue
            try:
                results[one.name][benchmark.name] = {**_about(bench), **one.run(bench)}
            except (EngineLost, Unwritable):
                raise
            except UserError as error:
                skipped[f"{one.name}, {benchmark.name}"] = str(error)
            # After each one: a run that is stopped leaves what it has.
            with writing(out, OTHER):
                report.write(found, out)
    with writing(out, OTHER):
        report.write(found, out)
    return found


def _bench(
    engine: Engine,
    model: dict[str, str],
    benchmark: Benchmark,
    out: Path,
    settings: Settings,
    root: str | os.PathLike[str] | None,
    fresh: bool,
    watch: Watch,
) -> Bench | str:
    """The benchmark ready to be asked, or why it cannot be."""
    try:
        items, folder = prepare(benchmark, out, settings.split, settings.limit, settings.seed, root)
    except Unwritable:
        raise
    except UserError as error:
        return str(error)
    return Bench(engine, model, benchmark, items, folder, settings, fresh, watch)


def _about(bench: Bench) -> Mapping[str, Any]:
    return {
        "title": bench.benchmark.title,
        "task": bench.task,
        "n": len(bench.items),
        "pictures": pictures(bench.items),
        "note": bench.benchmark.note,
    }
