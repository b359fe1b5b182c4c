"""A sweep from its first shared stage to its table. What is finished is skipped, what was stopped goes on."""

from __future__ import annotations

import gc
import json
import os
import shutil
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from skymoe.errors import UserError
from skymoe.evaluation.running import Watch
from skymoe.identity import fingerprint
from skymoe.outputs import alone_in
from skymoe.train.checkpoints import finished, replace_file, step_of
from skymoe.train.recipe import Recipe, load_recipe
from skymoe.train.records import Records, bearing, difference

from . import judging, writing
from .schema import Sweep
from .settings import Run, checked, runs, shared_output, shared_recipe

RECORD = "run.json"
ASSETS = Path(__file__).parents[2] / "assets"
# Of a shared training's folder, what every cell starts from besides the stages.
KEPT_BY_ALL = ("processor", "base")


@dataclass(frozen=True)
class State:
    """How far a run is: `word` is done, trained, begun or to do."""

    word: str
    detail: str = ""


class Running:
    """`run()` makes everything that is missing; `say` is told each step in one line, `watching` opens the bars of one
    judgement (training has its own)."""

    def __init__(
        self,
        sweep: Sweep,
        say: Callable[[str], None] = lambda line: None,
        watching: Callable[[], AbstractContextManager[Watch]] = lambda: nullcontext(_unwatched),
    ) -> None:
        self.sweep, self.say, self.watching = sweep, say, watching
        self.runs = runs(sweep)
        self._first: Recipe | None = shared_recipe(sweep)
        self._took: list[float] = []

    def run(self) -> Path:
        """Returns the table's Markdown file; it is written anew after every run.

        Raises:
            UserError: something is missing, a folder holds a run that was made otherwise, or another process runs it.
        """
        judging.can_be_judged(self.sweep)
        with alone_in(self.sweep.output) if _first_process() else nullcontext():
            return self._everything()

    def _everything(self) -> Path:
        self._shared()
        start = self._start()
        weights = _weights(start)
        for run in self.runs:
            _same_as_before(run, start, weights)
        waiting = [run for run in self.runs if self.state(run).word != "done"]
        if waiting:  # else nothing is made any more, and data and start may be gone
            by_one(lambda: self._check_folders(start))
        self.say(f"{len(self.runs) - len(waiting)} of {len(self.runs)} runs are done")
        for place, run in enumerate(waiting):
            began = time.monotonic()
            number = len(self.runs) - len(waiting) + place + 1
            self._one(run, start, weights, f"[{number}/{len(self.runs)}] {run.text}")
            self._took.append(time.monotonic() - began)
            by_one(lambda: writing.write(self.sweep, self.runs))
            left = len(waiting) - place - 1
            self.say(
                f"[{number}/{len(self.runs)}] done in {_clock(self._took[-1])}; {left} left"
                + (f", about {_clock(left * sum(self._took) / len(self._took))}" if left else "")
            )
        by_one(lambda: writing.write(self.sweep, self.runs))
        return self.sweep.output / writing.MARKDOWN

    def state(self, run: Run) -> State:
        """From what lies in the run's folder."""
        if len(judging.results(self.sweep, run)) == len(self.sweep.judge):
            return State("done")
        if finished(_model(run)):
            judged = len(judging.results(self.sweep, run))
            return State("trained", f"{judged} of {len(self.sweep.judge)} judged")
        saved = [step_of(path) for path in run.folder.glob("*/checkpoints/checkpoint-*")]
        if saved:
            return State("begun", f"step {max(saved)}")
        return State("begun" if (run.folder / RECORD).is_file() else "to do")

    def first_trainings(self) -> list[tuple[str, bool]]:
        """What comes before the cells, and whether it is finished."""
        found = [(path.name, _finished(load_recipe(path))) for path in self.sweep.shared.recipes]
        if self._first is not None:
            stages = f"{self.sweep.recipe.name}: {', '.join(self.sweep.shared.stages)}"
            found.append((f"{stages} in {self._first.output}", _finished(self._first)))
        return found

    # ---- one after the other

    def _shared(self) -> None:
        for path in self.sweep.shared.recipes:
            self._train_first(load_recipe(path), path.name)
        if self._first is not None:
            self._train_first(self._first, ", ".join(self.sweep.shared.stages))

    def _train_first(self, recipe: Recipe, called: str) -> None:
        if _finished(recipe):
            by_one(Records(recipe).check)
        else:
            self.say(f"training {called} in {recipe.output}, once for all cells")
            _train(recipe)

    def _one(self, run: Run, start: str | None, weights: str | None, called: str) -> None:
        model = _model(run)
        if not finished(model):
            by_one(lambda: self._begin(run, weights))
            self.say(f"{called}: training")
            _train(checked(run.recipe, self._layers(run, start), run.text), self.sweep.shared.stages)
        self.say(f"{called}: judging")
        # The others wait: who asks needs the model whole, and no collective call is under way.
        by_one(lambda: self._judge(run, model))
        if not self.sweep.keep_models:
            by_one(lambda: shutil.rmtree(model))

    def _check_folders(self, start: str | None) -> None:
        """That all cells were made as they would be now, also from the same data, before the first one goes on."""
        found: dict[str, dict[str, str]] = {}
        for run in self.runs:
            recipe = checked(run.recipe, self._layers(run, start), run.text)
            Records(recipe, partial(_origins, recipe, found), self.sweep.shared.stages).check()

    def _judge(self, run: Run, model: Path) -> None:
        with self.watching() as watch:
            judging.judge(self.sweep, run, model, watch)

    def _begin(self, run: Run, weights: str | None) -> None:
        """The run's folder: its record, and the shared stages as links."""
        run.folder.mkdir(parents=True, exist_ok=True)
        record = {
            "cell": dict(run.cell.labels),
            "seed": run.seed,
            "start": weights,
            "recipe": run.recipe,
        }
        replace_file(run.folder / RECORD, json.dumps(record, indent=1) + "\n")
        if self._first is None:
            return
        for name in (*self.sweep.shared.stages, *KEPT_BY_ALL):
            there, here = shared_output(self.sweep) / name, run.folder / name
            if there.exists() and not os.path.lexists(here):
                here.symlink_to(os.path.relpath(there, run.folder))

    # ---- what the cells start from

    def _start(self) -> str | None:
        """The model that the cells' own stages begin with, None for a new one.

        Raises:
            UserError: it has experts already, so that their number cannot be what a cell says.
        """
        recipe = self.runs[0].recipe
        if self._first is not None:
            start = str(self._first.output / self.sweep.shared.stages[-1] / "model")
        elif recipe.get("base"):
            start = recipe["base"]["model"]
            start = str(ASSETS / "nano") if start == "nano" else start
        else:
            return None
        if all(self.state(run).word == "done" for run in self.runs):
            return start  # it may be gone: nothing is made of it any more
        if (has := _config(start).get("num_experts", 0)) and any(
            stage.get("kind") == "experts" and stage.get("experts", 8) != has
            for run in self.runs
            for stage in run.recipe["stages"]
        ):
            raise UserError(
                f"{start} has {has} experts already, which no cell can change: start from a dense model"
            )
        return start

    def _layers(self, run: Run, start: str | None) -> int | None:
        """How many the decoder has."""
        if start is None:
            return run.recipe["model"]["text"].get("num_hidden_layers")
        return _config(start).get("text_config", {}).get("num_hidden_layers")


def _unwatched(name: str, questions: int | None) -> Callable[[int], None]:
    return lambda done: None


def _first_process() -> bool:
    from skymoe.train.processes import state

    return state().is_main_process


def by_one(work: Callable[[], Any]) -> None:
    """See `skymoe.train.processes`, which is imported late: a sweep is listed without PyTorch."""
    from skymoe.train.processes import by_one

    by_one(work)


def _train(recipe: Recipe, given: Collection[str] = ()) -> Path:
    from skymoe.train.stages import Training

    training = Training(recipe, given)
    try:
        return training.run()
    finally:
        del training
        gc.collect()  # a Trainer holds its model in a circle; the next cell needs the room
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _origins(recipe: Recipe, known: dict[str, dict[str, str]]) -> dict[str, str]:
    """What a run is made from; read once for all runs of the same data and base."""
    from skymoe.train.feeding import read_groups
    from skymoe.train.origins import base_origin, data_origin

    key = recipe.model_dump_json(include={"data", "model", "base"})
    if key not in known:
        known[key] = base_origin(recipe) | data_origin(recipe.data, read_groups(recipe.data))
    return known[key]


def _finished(recipe: Recipe) -> bool:
    return finished(recipe.output / recipe.stages[-1].name / "model")


def _model(run: Run) -> Path:
    return run.folder / run.recipe["stages"][-1]["name"] / "model"


def _config(model: str) -> dict[str, Any]:
    if not Path(model).is_dir():
        from skymoe.models.whole_weights import read_config

        try:
            return read_config(model).to_dict()
        except (ValueError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"{model!r}, from which the cells start, can't be read ({reason})") from error
    return json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))


def _weights(start: str | None) -> str | None:
    """What the cells start from, named by its content."""
    if start is None:
        return None
    return fingerprint(Path(start)) if Path(start).is_dir() else start


def _same_as_before(run: Run, start: str | None, weights: str | None) -> None:
    """A folder holds one run; another recipe, or another start, would silently be tabled under its name."""
    record, remedy = run.folder / RECORD, f"choose another output, or delete {run.folder}"
    if not record.is_file():
        return
    try:
        before = json.loads(record.read_text(encoding="utf-8"))
        was, begun_with = bearing(before["recipe"]), before["start"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{record} can't be read or is no record of a run: {remedy}") from error
    now = bearing(json.loads(json.dumps(run.recipe)))
    if (found := difference("", was, now, now)) is not None:
        raise UserError(f"{run.text} was made with {found}: put it back, {remedy}")
    if start is not None and Path(start).is_dir() and begun_with != weights:
        raise UserError(
            f"{run.text} started from another model than what is now in {start}: put it back, {remedy}"
        )


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
