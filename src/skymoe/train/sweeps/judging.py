"""A run's model on the sweep's benchmarks, and what of that is there already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import get_benchmark
from skymoe.evaluation.running import Watch, evaluate
from skymoe.evaluation.scoring import require

from .schema import Judged, Sweep
from .settings import Run

# What of a benchmark's result goes into the sweep's table and JSON; all of it is in the run's own report.
KEPT = ("n", "pictures", "unparsable", "metrics", "by")


def can_be_judged(sweep: Sweep) -> None:
    """UserError where a benchmark's data or a metric's package is not there: said before hours are spent."""
    for judged in sweep.judge:
        benchmark = get_benchmark(judged.benchmark)
        require(benchmark.task)
        state = benchmark.state()
        if not state.found:
            raise UserError(
                f"judge: the data of {benchmark.name} are not there (missing: {', '.join(state.missing)}); "
                "leave it out, or see skymoe data list"
            )


def blind(sweep: Sweep, judged: Judged, run: Run) -> bool:
    """Whether this run also answers without seeing."""
    return judged.blind == "each" or (judged.blind == "first" and run.seed == sweep.seeds[0])


def result(sweep: Sweep, judged: Judged, run: Run) -> dict[str, Any] | None:
    """A run's whole result on a benchmark, as in its report; None where it is not there, or not with all it needs."""
    try:
        report = json.loads((_folder(run, judged) / "report.json").read_text(encoding="utf-8"))
        found = report["results"][judged.benchmark]
    except (OSError, ValueError, KeyError):
        return None
    if blind(sweep, judged, run) and "blind" not in found:
        return None
    kept = {key: found[key] for key in KEPT}
    return kept | {key: found[key]["metrics"] for key in ("blind", "constant") if key in found}


def results(sweep: Sweep, run: Run) -> dict[str, dict[str, Any]]:
    """All of a run's results, by the names of the sweep's columns' folders."""
    found = ((judged.name, result(sweep, judged, run)) for judged in sweep.judge)
    return {name: one for name, one in found if one is not None}


def judge(sweep: Sweep, run: Run, model: Path, watch: Watch) -> None:
    """Ask the model all that is missing. Answers are kept as they come: a stopped judgement goes on.

    Raises:
        UserError: a benchmark cannot be read or scored.
    """
    from skymoe.evaluation.engines import open_engine  # and PyTorch, without which a sweep is listed

    opened = None
    for judged in sweep.judge:
        if result(sweep, judged, run) is not None:
            continue
        opened = opened or open_engine(str(model))
        report = evaluate(
            opened.engine,
            opened.identity,
            [get_benchmark(judged.benchmark)],
            _folder(run, judged),
            judged.settings(blind(sweep, judged, run)),
            watch=watch,
        )
        if (reason := report["skipped"].get(judged.benchmark)) is not None:
            raise UserError(f"{run.text}: {judged.benchmark} could not be judged: {reason}")


def _folder(run: Run, judged: Judged) -> Path:
    return run.folder / "judged" / judged.name
