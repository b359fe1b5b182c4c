"""What two runs of `skymoe eval`, or two prediction files, have in common to be compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skymoe.errors import UserError
from skymoe.evaluation.comparing import RESAMPLES, Comparison, compare, corrected
from skymoe.evaluation.lines import read_lines
from skymoe.evaluation.notations import notation_of

PREDICTIONS = "predictions.jsonl"


@dataclass(frozen=True)
class Answers:
    """One set of predictions: its file, its task, and how its boxes are written."""

    path: Path
    task: str
    boxes: str = "geochat"


@dataclass(frozen=True)
class Run:
    """``name`` is how it is called in a table; ``answers`` has one entry a benchmark ("" for a lone file)."""

    name: str
    answers: dict[str, Answers]


def open_run(path: Path, task: str | None = None, boxes: str | None = None) -> Run:
    """A folder that `skymoe eval` wrote, or a prediction file of ``task``.

    ``boxes`` is the notation of its grounding answers; without it a folder's own settings say it. Raises UserError
    where there is neither, or a file's task is not told.
    """
    if path.is_file():
        if task is None:
            raise UserError(
                f"{path} is a file: say what it answers with --task caption|vqa|ground|count|classify"
            )
        return Run(path.name, {"": Answers(path, task, boxes or "geochat")})
    if not path.is_dir():
        raise UserError(f"{path} does not exist: name a folder that skymoe eval wrote, or a prediction file")
    report = _report(path)
    results, settings, model = (_object(report.get(key)) for key in ("results", "settings", "model"))
    own = settings.get("boxes") if isinstance(settings.get("boxes"), str) else None
    answers = {}
    for file in sorted(path.glob(f"*/{PREDICTIONS}")):
        name = file.parent.name
        known = _object(results.get(name)).get("task") or _task_of(name)
        if isinstance(known, str) and (task is None or task == known):
            answers[name] = Answers(file, known, boxes or own or "geochat")
    if not answers:
        raise UserError(f"{path} holds no */{PREDICTIONS}: name a folder that skymoe eval wrote")
    return Run(str(model.get("name") or path.name), answers)


def compare_runs(
    a: Run,
    b: Run,
    *,
    benchmarks: Sequence[str] = (),
    protocol: str = "standard",
    common: bool = False,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Comparison]:
    """The benchmarks that both have answered, compared; Holm's correction is over all of their numbers.

    Raises UserError where they share none, or one that is asked for is not in both.
    """
    shared = [name for name in a.answers if name in b.answers]
    for name in benchmarks:
        if name not in shared:
            raise UserError(f"{name!r} is not in both runs; these are: {', '.join(shared) or 'none'}")
    if not shared:
        raise UserError(
            f"the runs share no benchmark: A has {', '.join(a.answers) or 'none'}, B has {', '.join(b.answers)}"
        )
    found = {}
    for name in benchmarks or shared:
        sides = (a.answers[name], b.answers[name])
        task = sides[0].task
        if sides[1].task != task:
            raise UserError(f"{name or 'the files'}: A answers {task}, B answers {sides[1].task}")
        records = [read_lines(side.path, task).records for side in sides]
        first, second = (
            notation_of(list(lines), side.boxes) if task == "ground" else side.boxes
            for lines, side in zip(records, sides, strict=True)
        )
        found[name] = compare(
            task,
            *records,
            protocol=protocol,
            boxes=(first, second),
            common=common,
            seed=seed,
            resamples=resamples,
        )
    return corrected(found)


def _report(path: Path) -> dict[str, Any]:
    """The run's report; an unfinished run has none."""
    file = path / "report.json"
    if not file.is_file():
        return {}
    try:
        return _object(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} cannot be read; run skymoe eval again, which writes it anew") from error


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _task_of(name: str) -> str | None:
    from skymoe.evaluation.benchmarks import BENCHMARKS

    known = BENCHMARKS.get(name)
    return known.task if known is not None else None
