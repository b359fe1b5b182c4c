"""The report of a run made anew from its files, without the model: after a change of the page, on another machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import Item, get_benchmark
from skymoe.evaluation.predictions import read_predictions
from skymoe.evaluation.report.examples import complete
from skymoe.evaluation.report.wording import TASKS
from skymoe.evaluation.report.writing import write

_NEEDED = ("model", "settings", "results", "skipped", "versions")


def read_report(run: Path) -> dict[str, Any]:
    """``report.json`` of a run; UserError where it is missing or something else."""
    path = run / "report.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; give the folder that skymoe eval wrote") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); evaluate again") from error
    missing = [
        name for name in _NEEDED if not isinstance(found, dict) or not isinstance(found.get(name), dict)
    ]
    if missing:
        raise UserError(f"{path}: has no {missing[0]!r}, so it is no report of skymoe eval")
    for name, result in found["results"].items():
        # Names become folders: none may lead out of the run's own.
        if Path(name).name != name or name in (".", "..") or "\0" in name:
            raise UserError(
                f"{path}: {name!r} is no name of a benchmark; give a report that skymoe eval wrote"
            )
        if not isinstance(result, dict) or result.get("task") not in TASKS:
            raise UserError(f"{path}: the result of {name!r} has no known task; evaluate again")
    return found


def rebuild(
    run: Path,
    out: Path,
    *,
    trained_on: Sequence[str] | None = None,
    root: Path | None = None,
    said: Callable[[str], None] = lambda line: None,
    advance: Callable[[int], None] = lambda benchmarks: None,
) -> dict[str, Any]:
    """Score the run's predictions by protocol ``paper``, too, choose the worst answers, and write all to ``out``.

    The numbers of protocol ``standard`` stay as they are. ``trained_on`` are names of data sources whose training split
    the model has seen. ``said`` is told what is left out and why: a picture's data set that is not here, predictions
    that are gone.
    """
    report = read_report(run)
    if trained_on is not None:
        report["model"] = {**report["model"], "trained_on": sorted(trained_on)}
    for name, result in report["results"].items():
        if "prompt" not in result:  # reports did not always say it
            with suppress(UserError):
                result["prompt"] = get_benchmark(name).prompt
        path = run / name / "predictions.jsonl"
        try:
            records = read_predictions(path)
        except UserError as error:
            said(f"{name}: {error}; no examples")
        except OSError as error:
            said(f"{name}: {path} cannot be read ({error}): no examples")
        else:
            notation = report["settings"].get("boxes") or "geochat"
            items = _items(name, report["settings"], root, said)
            seed = report["settings"].get("seed", 0)
            report["results"][name] = complete(result, records, out / name, items, boxes=notation, seed=seed)
        advance(1)
    write(report, out)
    return report


def _items(
    name: str, settings: dict[str, Any], root: Path | None, said: Callable[[str], None]
) -> Sequence[Item]:
    try:
        return get_benchmark(name).items(settings["split"], root=root)
    except UserError as error:
        said(f"{name}: no pictures: {error}")
        return ()
