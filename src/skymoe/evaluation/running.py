"""A whole evaluation: benchmark by benchmark, predictions first, then scores, baselines and the report."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import skymoe
from skymoe.errors import UserError
from skymoe.evaluation import report
from skymoe.evaluation.baselines import CONSTANTS, constant_metrics, mean_colour
from skymoe.evaluation.benchmarks import Benchmark, Item, pictures
from skymoe.evaluation.metrics.ptb import java
from skymoe.evaluation.notations import notation_of
from skymoe.evaluation.predictions import (
    OTHER,
    Engine,
    EngineLost,
    MadeOtherwise,
    predict,
    read_note,
    same_weights,
)
from skymoe.evaluation.scoring import Score, require, score_records
from skymoe.outputs import Unwritable, alone_in, writing

EXPLAINED = {
    "classify": "the question named the list of scenes (--explain), an easier task than the plain question",
    "ground": "the question named the notation of boxes (--explain), an easier task than the plain question",
}
Advance = Callable[[int], None]
Watch = Callable[[str, int | None], Advance]
"""Told the name and the number of questions of each pass; gives what is to be told their progress."""


@dataclass(frozen=True)
class Settings:
    """How a model is evaluated.

    ``limit`` is a number of pictures a benchmark; ``num_beams`` is for captions alone; ``boxes`` is the notation that
    boxes are read in; ``explain`` says that the questions named the form of their answers (foreign models only).
    """

    split: str = "test"
    limit: int | None = None
    batch_size: int = 32
    num_beams: int = 5
    constrained: bool = True
    baselines: bool = True
    seed: int = 0
    boxes: str = "geochat"
    explain: bool = False

    @property
    def folder(self) -> str:
        """What of the settings belongs in a folder's name: the parts that differ from a plain, full run."""
        parts = [self.split] if self.split != "test" else []
        parts += [f"limit{self.limit}"] if self.limit is not None else []
        parts += [f"beams{self.num_beams}"] if self.num_beams != 5 else []
        parts += ["free"] if not self.constrained else []
        parts += [f"explained-{self.boxes}"] if self.explain else []
        parts += [f"seed{self.seed}"] if self.seed else []
        return "-".join(parts)


def evaluate(
    engine: Engine,
    model: dict[str, str],
    benchmarks: Sequence[Benchmark],
    out: Path,
    settings: Settings = Settings(),
    *,
    root: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    watch: Watch = lambda name, questions: lambda done: None,
    trained_on: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Evaluate a model and write predictions, ``report.json`` and ``report.md`` into ``out``; the report is returned.

    ``model`` is what names it in the report (``name``, ``weights``); ``trained_on`` are the data sets that it learnt
    from, where that is known. A benchmark whose data or metrics are not there is skipped with the reason. ``fresh``
    throws earlier predictions of these benchmarks away; otherwise they are used.

    Raises:
        MadeOtherwise: ``out`` holds predictions of another model, of pictures that have changed, or of other settings.
        EngineLost: the model stops answering; the same call continues.
        Unwritable: ``out`` cannot be written, or another run is writing it.
    """
    with alone_in(out, OTHER):
        return _evaluate(engine, model, benchmarks, out, settings, root, fresh, watch, trained_on)


def _evaluate(
    engine: Engine,
    model: dict[str, str],
    benchmarks: Sequence[Benchmark],
    out: Path,
    settings: Settings,
    root: str | os.PathLike[str] | None,
    fresh: bool,
    watch: Watch,
    trained_on: Sequence[str] | None,
) -> dict[str, Any]:
    _same_model(model, out, [one.name for one in benchmarks] if fresh else [])
    results: dict[str, Any] = {}
    skipped: dict[str, str] = {}
    found = {
        "model": {**model, "trained_on": list(trained_on)} if trained_on is not None else model,
        "settings": asdict(settings),
        "versions": versions(),
        "results": results,
        "skipped": skipped,
    }
    for benchmark in benchmarks:
        try:
            results[benchmark.name] = _one(engine, model, benchmark, out, settings, root, fresh, watch)
        except (EngineLost, MadeOtherwise, Unwritable):
            raise
        except UserError as error:
            skipped[benchmark.name] = str(error)
        # After every benchmark: a run that is stopped leaves what it has.
        with writing(out, OTHER):
            report.write(found, out)
    return found


def _same_model(model: dict[str, str], out: Path, thrown_away: Sequence[str]) -> None:
    """A folder is of one model: `skymoe compare` and the report take all that lies in it for its answers."""
    for note in sorted(out.glob("*/predictions.settings.json")):
        name = note.parent.name
        if name in thrown_away or not (note.parent / "predictions.jsonl").is_file():
            continue
        before = read_note(note).get("model")
        if not same_weights(before, model):
            was, now = (
                " ".join(map(str, one.values())) if isinstance(one, dict) else one for one in (before, model)
            )
            remedy = f"delete {note.parent}" if thrown_away else "give --fresh to start over"
            raise MadeOtherwise(
                f"{out} holds answers of {was} to {name}, the model is now {now}: {remedy}, or another --out"
            )


def prepare(
    benchmark: Benchmark,
    out: Path,
    split: str,
    limit: int | None,
    seed: int,
    root: str | os.PathLike[str] | None,
) -> tuple[list[Item], Path]:
    """The questions of a benchmark and its folder in ``out``, with their ids written there.

    Raises UserError where the data or a metric's package are not there, Unwritable where ``out`` can't be written.
    """
    require(benchmark.task)
    items = benchmark.items(split, root=root, limit=limit, seed=seed)
    folder = out / benchmark.name
    with writing(folder, OTHER):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ids.txt").write_text("".join(f"{item.id}\n" for item in items), encoding="utf-8")
    return items, folder


def _one(
    engine: Engine,
    model: dict[str, str],
    benchmark: Benchmark,
    out: Path,
    settings: Settings,
    root: str | os.PathLike[str] | None,
    fresh: bool,
    watch: Watch,
) -> dict[str, Any]:
    made_for = getattr(engine, "tasks", None)  # of models of others nobody knows
    if made_for is not None and benchmark.task not in made_for:
        raise UserError(
            f"{model['name']} was not made for {benchmark.task}, only for {', '.join(sorted(made_for))}"
        )
    items, folder = prepare(benchmark, out, settings.split, settings.limit, settings.seed, root)

    def run(name: str, **options: Any) -> list[dict[str, Any]]:
        path = folder / f"{name}.jsonl"
        if fresh:
            path.unlink(missing_ok=True)
        return predict(
            engine,
            items,
            path,
            {
                "model": model,
                "benchmark": benchmark.name,
                "split": settings.split,
                "skymoe": skymoe.__version__,
            },
            constrained=settings.constrained,
            num_beams=settings.num_beams if benchmark.task == "caption" else 1,
            batch_size=settings.batch_size,
            advance=watch(f"{benchmark.name} ({name})" if options else benchmark.name, len(items)),
            **options,
        )

    def score(records: list[dict[str, Any]]) -> Score:
        return score_records(benchmark.task, records, boxes=boxes, seed=settings.seed)

    records = run("predictions")
    # Decided by what the model saw, not anew by what it said blindly.
    boxes = notation_of(records, settings.boxes) if benchmark.task == "ground" else settings.boxes
    found = score(records)
    result = {**_describe(benchmark, items, settings), **found.to_dict()}
    if settings.explain and benchmark.task in EXPLAINED:
        result["notes"] = {**result["notes"], "explain": EXPLAINED[benchmark.task]}
    if settings.baselines:
        blind = score(run("blind", see=mean_colour))
        result["blind"] = {"unparsable": blind.unparsable, "metrics": blind.metrics, "by": blind.by}
        _constant(result, benchmark, items, records, root)
    return report.complete(
        result, records, folder, items, judged=found.items, boxes=boxes, seed=settings.seed
    )


def _constant(
    result: dict[str, Any],
    benchmark: Benchmark,
    items: Sequence[Item],
    records: list[dict[str, Any]],
    root: str | os.PathLike[str] | None,
) -> None:
    """The best constant answer beside the result, or why there is none."""
    try:
        train = benchmark.items("train", root=root)
    except UserError as error:  # not every data set has a training split
        result["notes"] = {**result["notes"], "constant": f"no constant answer to compare with ({error})"}
        return
    metrics, by = constant_metrics(benchmark.task, train, items, records)
    result["constant"] = {"what": CONSTANTS[benchmark.task], "metrics": metrics, "by": by}


def _describe(benchmark: Benchmark, items: Sequence[Item], settings: Settings) -> dict[str, Any]:
    return {
        "title": benchmark.title,
        "source": benchmark.source,
        "split": settings.split,
        "pictures": pictures(items),
        "official_pictures": benchmark.sizes.get(settings.split),
        "official_questions": benchmark.questions.get(settings.split),
        "published": benchmark.published,
        "subset": settings.limit is not None,
        "note": benchmark.note,
        "prompt": benchmark.prompt,
    }


def versions() -> dict[str, str]:
    """What the numbers were made with."""
    found = {"skymoe": skymoe.__version__, "python": platform.python_version()}
    for package in ("torch", "transformers", "numpy", "pillow", "pycocoevalcap"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["java"] = "found" if java() else "not found"
    return found
