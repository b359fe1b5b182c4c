"""What a run was begun with, kept in its folders: it goes on with that or not at all.

`recipe.json` in the output folder tells what all stages have in common, `STAGE/recipe.json` that and the settings of
the stage and of those before it, on which it builds; both also what they are made from, by content. A finished stage
keeps it beside its model.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path
from typing import Any

import skymoe
from skymoe.errors import UserError
from skymoe.outputs import writing

from .checkpoints import replace_file
from .recipe import Recipe

log = logging.getLogger(__name__)
RECORD = "recipe.json"
SHARED = ("seed", "precision", "data", "model", "base")
# Of a stage: what says how it is computed and told, and not what it learns.
FREE = (
    "micro_batch", "save_every", "log_every", "gradient_checkpointing", "compile", "implementation",
)  # fmt: skip
# What a stage goes on from; without any of it nothing was made yet, and the recipe may still change.
MADE = ("model", "upcycled", "start", "parts", "checkpoints/checkpoint-*")
MADE_FOR_ALL = ("processor", "base")
UNKNOWN = "unknown"
"""The origin of what is not there any more; it is compared with nothing."""
LONGEST = 100
AUTO = "auto"


class Records:
    """The records of one run. `origins` gives what it is made from by the recipe's keys, and may be slow; without it
    settings alone are compared. `given` stages come from another training and have its records."""

    def __init__(
        self,
        recipe: Recipe,
        origins: Callable[[], dict[str, str]] | None = None,
        given: Collection[str] = (),
    ) -> None:
        self.recipe, self.given, self._origins = recipe, given, origins
        self.output = recipe.output

    def check(self) -> None:
        """Compare what lies in the folders with the recipe.

        Raises:
            UserError: they differ: which key, what it was and is, and what can be done.
        """
        was = _read_record(self.output / RECORD)
        if was is None:
            self._check_old_base()
        elif self._begun and (found := differing(was, self._record(0))) is not None:
            self._refuse(self.output, found, [self.output])
        for number, stage in enumerate(self.recipe.stages):
            folder = self.output / stage.name
            was = _read_record(folder / RECORD) if stage.name not in self.given and _made(folder) else None
            if was is not None and (found := differing(was, self._record(number + 1))) is not None:
                self._refuse(folder, found, self._from(number))

    def open(self) -> None:
        """Check, and keep what all stages have in common; what has no record yet is told, once."""
        self.check()
        names = [stage.name for stage in self.recipe.stages if stage.name not in self.given]
        old = [
            name
            for name in names
            if _made(self.output / name) and not (self.output / name / RECORD).is_file()
        ]
        if old:
            log.warning(
                "%s: %s has no record of its recipe (from an earlier version?): taken to be of this one",
                self.output, ", ".join(old),
            )  # fmt: skip
        if not self._begun or not (self.output / RECORD).is_file():
            _write(self.output / RECORD, self._record(0))

    def begin(self, number: int, previous: str | None) -> None:
        """Keep what stage `number` is begun with; `previous` is the finished model that it starts from.

        Raises:
            UserError: the stage was begun before, from another model.
        """
        from .origins import checkpoint

        folder = self.output / self.recipe.stages[number].name
        now = self._record(number + 1)
        if number and previous is not None:
            now["from"] |= {f"{self.recipe.stages[number - 1].name}/model": checkpoint(previous)}
        was = _read_record(folder / RECORD)
        if was is None or not _made(folder):
            _write(folder / RECORD, now)
        elif (found := differing(was, now)) is not None:
            self._refuse(folder, found, self._from(number))

    def _record(self, stages: int) -> dict[str, Any]:
        """What the first so many stages are made with; none is what all have in common."""
        return {
            "skymoe": skymoe.__version__,
            "recipe": _part(self.recipe, stages, False),
            "said": _part(self.recipe, stages, True),
            "from": dict(self._made_from),
        }

    @cached_property
    def _made_from(self) -> dict[str, str]:
        return self._origins() if self._origins is not None else {}

    def _from(self, number: int) -> list[Path]:
        """The folders of a stage and of those after it."""
        later = [self.output / stage.name for stage in self.recipe.stages[number:]]
        return [folder for folder in later if folder.is_dir()]

    def _refuse(self, folder: Path, found: str, delete: list[Path]) -> None:
        places = ", ".join(map(str, delete))
        raise UserError(f"{folder} was made {found}: put it back, choose another output, or delete {places}")

    @property
    def _begun(self) -> bool:
        """Whether anything in the output folder was made by a recipe."""
        stages = (self.output / stage.name for stage in self.recipe.stages)
        return any((self.output / name).is_dir() for name in MADE_FOR_ALL) or any(map(_made, stages))

    def _check_old_base(self) -> None:
        """Before there were records, the base alone was kept."""
        was = _read(self.output / "base.json")
        if was is not None and self.recipe.base is not None:
            now = self.recipe.base.model_dump(mode="json")
            if found := difference("base", was, now, self.recipe.base.model_dump(exclude_defaults=True)):
                self._refuse(self.output, f"with {found}", [self.output])


def _part(recipe: Recipe, stages: int, said: bool) -> dict[str, Any]:
    """What bears on the first stages, in JSON's types; `said` leaves out what is as by default."""
    whole = recipe.model_dump(mode="json", by_alias=True, exclude_defaults=said)
    part = {key: whole[key] for key in SHARED if key in whole} | {"stages": whole["stages"][:stages]}
    if part.get("precision") == AUTO:  # another machine may mean another by it
        from .trainer import use_bf16

        part["precision"] = "bf16" if use_bf16(AUTO) else "fp32"
    return json.loads(json.dumps(part))


def differing(was: dict[str, Any], now: dict[str, Any]) -> str | None:
    """The first difference of two records, in words; None where the run may go on.

    Where something lies is compared only if what lies there is another: a folder that was moved is the same.
    """
    origins = {key: (was["from"].get(key), now["from"].get(key)) for key in {**was["from"], **now["from"]}}
    others = {
        key: pair for key, pair in origins.items() if pair[0] != pair[1] and not {None, UNKNOWN} & {*pair}
    }
    parts = [bearing(one, others) for one in (was["recipe"], now["recipe"], now["said"])]
    if parts[0].get("precision") == AUTO:  # recorded before it was kept what that meant
        parts[0]["precision"] = parts[1].get("precision")
    if (found := difference("", *parts)) is not None:
        return f"with {found}"
    for key, (before, after) in others.items():
        return f"from another {key} ({before}, now {after})"
    return None


def bearing(recipe: dict[str, Any], others: Collection[str] = ()) -> dict[str, Any]:
    """The settings of a recipe, as a file or a record has them, that decide what is learnt.

    Left out are also the places of data and base, unless `others` says by their keys that another thing lies there.
    """
    kept = {key: recipe[key] for key in SHARED if key in recipe}
    data = dict(recipe.get("data") or {})
    if "data.corpus" not in others:
        data["corpus"] = bool(data.get("corpus"))
    data["sources"] = [
        source if f"data.sources.{place}" in others else _without(source, ("root", "options"))
        for place, source in enumerate(data.get("sources", []))
    ]
    base = recipe.get("base")
    if base is not None:
        base = _without(base, [name for name in ("model", "decoder") if f"base.{name}" not in others])
    stages = [_without(stage, FREE) for stage in recipe.get("stages", [])]
    return {**kept, "data": data, "base": base, "stages": stages}


def _without(section: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key not in names}


def difference(key: str, was: Any, now: Any, said: Any) -> str | None:
    """The first place where two settings differ, in words: `stages.1.steps 5, not 6`.

    `said` is the part of `now` that is not as by default: a setting that was unknown then may be so.
    """
    if isinstance(was, dict) and isinstance(now, dict):
        said = said if isinstance(said, dict) else {}
        # A stage's kind decides which other settings there are.
        for name in sorted({**now, **was}, key=lambda name: name != "kind"):
            if name in was or name in said:
                place = f"{key}.{name}" if key else name
                found = difference(place, was.get(name), now.get(name), said.get(name))
                if found is not None:
                    return found
        return None
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        parts = said if isinstance(said, list) and len(said) == len(now) else [None] * len(now)
        each = (
            difference(f"{key}.{place}", *three)
            for place, three in enumerate(zip(was, now, parts, strict=True))
        )
        return next((one for one in each if one is not None), None)
    return None if was == now else f"{key} {_short(was)}, not {_short(now)}"


def _short(value: Any) -> str:
    """A value on one line; of sections with names these alone."""
    if isinstance(value, list) and value and all(isinstance(one, dict) and "name" in one for one in value):
        value = [one.get("as") or one["name"] for one in value]
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _made(stage: Path) -> bool:
    return any(next(stage.glob(name), None) is not None for name in MADE)


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON file with an object, None where there is none.

    Raises:
        UserError: it can't be read, or holds something else.
    """
    remedy = "delete it if the recipe is the one it was begun with"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # what is in the way is said when something is written
        return None
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}): choose another output") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} can't be read; {remedy}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is no record of a recipe; {remedy}")
    return found


def _read_record(path: Path) -> dict[str, Any] | None:
    record = _read(path)
    if record is None:
        return None
    try:
        bearing(record["recipe"])
        whole = all(isinstance(one, str) for one in record["from"].values())
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise UserError(
            f"{path} is no record of a recipe; delete it if the recipe is the one it was begun with"
        )
    return record


def _write(path: Path, record: dict[str, Any]) -> None:
    kept = _without(record, ("said",))
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
