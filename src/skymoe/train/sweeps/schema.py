"""The schema of a sweep file (YAML)."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from skymoe.evaluation.benchmarks import get_benchmark
from skymoe.evaluation.running import Settings
from skymoe.evaluation.scoring import HEADLINES
from skymoe.recipe_files import Section


def label_of(key: Any) -> str:
    """A label as a table shows it. YAML reads a bare on or off as true or false."""
    return ("off", "on")[key] if isinstance(key, bool) else str(key)


class Axis(Section):
    """What is varied. `values` has a label for each value of `setting`, a dotted name as `--set` takes it, in which a
    stage may stand by its name: `stages.stage2.experts`; a list is its own labels. Without `setting` each value is a
    mapping of dotted names, and may change several things at once, or nothing: `{off: {}, on: {…}}`.
    """

    name: str = Field(pattern=r"^[\w-]+$")
    title: str = ""
    setting: str | None = None
    values: dict[str, Any] = Field(min_length=1)

    @field_validator("values", mode="before")
    @classmethod
    def _labelled(cls, values: Any) -> Any:
        pairs = (
            [(value, value) for value in values] if isinstance(values, list) else list(dict(values).items())
        )
        labelled = {label_of(key): value for key, value in pairs}
        if len(labelled) < len(pairs):
            raise ValueError("two values have the same label")
        return labelled

    @model_validator(mode="after")
    def _settable(self) -> Axis:
        for label, value in self.values.items():
            if self.setting is None and not isinstance(value, dict):
                raise ValueError(
                    f"axis {self.name!r}: {label} is {value!r}; name a setting, or make it a mapping of settings"
                )
        return self

    def settings(self, label: str) -> dict[str, Any]:
        value = self.values[label]
        return value if self.setting is None else {self.setting: value}


@dataclass(frozen=True)
class Cell:
    """One row of the table: a label for each axis, in the axes' order."""

    labels: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """As a folder is called."""
        return re.sub(r"[^\w.,=-]+", "_", ",".join(f"{axis}={label}" for axis, label in self.labels))

    @property
    def text(self) -> str:
        return ", ".join(f"{axis} {label}" for axis, label in self.labels)


class Rows(Section):
    """A part of the table: for each axis a label or several; an axis that is not named has all of its values."""

    title: str = ""
    cells: dict[str, list[str]]

    @field_validator("cells", mode="before")
    @classmethod
    def _lists(cls, cells: Any) -> Any:
        if not isinstance(cells, dict):
            return cells
        return {
            axis: [label_of(one) for one in (labels if isinstance(labels, list) else [labels])]
            for axis, labels in cells.items()
        }


class Shared(Section):
    """What all cells start from, trained once.

    `recipes` are whole trainings that come first (a file beside the sweep's), such as that of the base. `stages` are
    the first stages of the sweep's own recipe; they are in `output` (default: `shared` in the sweep's), which may be
    that of a training which is finished already.
    """

    recipes: list[Path] = []
    stages: list[str] = []
    output: Path | None = None


class Judged(Section):
    """A column of the table: a benchmark, and which of its headline `metric`s is shown (default: the first).

    `limit` is a number of pictures, the same in every cell. `blind`: who also answers on pictures of one colour: each
    run, the first repeat of each cell, or never; the best constant answer comes with it.
    """

    benchmark: str
    title: str = ""
    metric: str = ""
    split: Literal["test", "val"] = "test"
    limit: int | None = Field(default=None, gt=0)
    beams: int = Field(default=5, gt=0)
    blind: Literal["each", "first", "never"] = "each"

    @model_validator(mode="before")
    @classmethod
    def _headline(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or not isinstance(raw.get("benchmark"), str):
            return raw
        known = get_benchmark(raw["benchmark"])
        metric = raw.get("metric") or known.metrics[0]
        if metric not in HEADLINES[known.task]:
            near = difflib.get_close_matches(str(metric), known.metrics, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known.metrics)}"
            raise ValueError(f"{known.name} has no metric {metric!r}; {hint}")
        return {**raw, "benchmark": known.name, "metric": metric, "title": raw.get("title") or known.name}

    def settings(self, blind: bool) -> Settings:
        return Settings(self.split, self.limit, num_beams=self.beams, baselines=blind)

    @property
    def name(self) -> str:
        """Of its folder: the benchmark and what of its settings is not plain."""
        return "-".join(part for part in (self.benchmark, self.settings(False).folder) if part)


class Sweep(Section):
    """A whole sweep: `recipe` (a file beside the sweep's) with `set`, in all cells that the axes make, once per seed.

    Settings are dotted names; mappings among them are merged into what the recipe says. `rows` chooses cells of the
    grid, in parts with titles; without it all are run. `keep_models: false` deletes a model when it has been judged.
    """

    name: str
    recipe: Path
    output: Path
    settings: dict[str, Any] = Field(default={}, alias="set")
    shared: Shared = Shared()
    axes: list[Axis] = Field(min_length=1)
    rows: list[Rows] = []
    seeds: list[int] = Field(default=[17], min_length=1)
    judge: list[Judged] = Field(min_length=1)
    keep_models: bool = True

    @model_validator(mode="after")
    def _fits(self) -> Sweep:
        _no_twins("axes", [axis.name for axis in self.axes])
        _no_twins("seeds", self.seeds)
        _no_twins("judge", [judged.name for judged in self.judge])
        _no_twins("judge", [judged.title for judged in self.judge])
        for rows in self.rows:
            for name, labels in rows.cells.items():
                axis = next((one for one in self.axes if one.name == name), None)
                _known("axis", name, [one.name for one in self.axes])
                for label in labels:
                    assert axis is not None
                    _known(f"value of {name}", label, list(axis.values))
        _no_twins("axes: labels", [cell.name for cell in self.cells])
        return self

    @property
    def parts(self) -> list[tuple[str, list[Cell]]]:
        """The table's parts: titles, and their cells in order."""
        return [(rows.title, self._product(rows.cells)) for rows in self.rows or [Rows(cells={})]]

    @property
    def cells(self) -> list[Cell]:
        """All cells, each once, in the table's order."""
        return list(dict.fromkeys(cell for _, cells in self.parts for cell in cells))

    def _product(self, chosen: dict[str, list[str]]) -> list[Cell]:
        labels = [chosen.get(axis.name, list(axis.values)) for axis in self.axes]
        names = [axis.name for axis in self.axes]
        return [Cell(tuple(zip(names, one, strict=True))) for one in itertools.product(*labels)]


def _no_twins(where: str, names: Iterable[Any]) -> None:
    seen: set[Any] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{where}: {name!r} stands twice")
        seen.add(name)


def _known(what: str, name: str, known: list[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"rows: no {what} is called {name!r}; {hint}")
