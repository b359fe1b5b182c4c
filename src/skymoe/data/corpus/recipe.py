"""The schema of a corpus recipe (YAML). Unknown keys are errors: a typing mistake can't silently change a corpus."""

from __future__ import annotations

import difflib
import hashlib
import json
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

from skymoe.errors import UserError
from skymoe.tasks import TASKS

try:
    import yaml
    from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
except ImportError as error:  # the core does without them
    raise UserError(f"building a corpus needs {error.name}; pip install 'skymoe[data]'") from error

FORMAT = 1
"""Of the corpus on disk; a corpus begun by another format is not continued."""

Limits = dict[str, Annotated[int, Field(ge=0)]]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CorpusSource(Section):
    """One source. `weight` is its share of the items where `size` limits them, `cap` the most items it may give.

    `options` go to the reader (users' formats: `annotations: …, images: …`); `as` is the name under which its
    pictures stand, needed where one reader is used twice; `tasks` replaces numbers of the recipe's `tasks`.
    """

    name: str
    split: str = "train"
    weight: float = Field(default=1.0, gt=0)
    cap: int | None = Field(default=None, gt=0)
    root: Path | None = None
    options: dict[str, Any] = {}
    label: str | None = Field(default=None, alias="as", pattern=r"^[\w.-]+$")
    tasks: Limits = {}

    @property
    def called(self) -> str:
        return self.label or self.name


class Pictures(Section):
    """`check: decode` reads every pixel (a truncated file is found, pictures can be compared), `head` only the size.

    `store: copy` copies the pictures into the corpus, `link` makes hard links where the disk allows it.
    """

    check: Literal["decode", "head"] = "decode"
    store: Literal["copy", "link"] = "copy"


class CorpusRecipe(Section):
    """A whole corpus. Everything random in it follows from `seed`; see docs/data.md."""

    name: str
    output: Path
    seed: int = 0
    format: Literal["jsonl", "parquet"] = "jsonl"
    messages: Literal["parts", "tagged"] = "parts"
    shard: int = Field(default=10_000, gt=0)
    size: int | None = Field(default=None, gt=0)
    absent: Literal["error", "skip"] = "error"
    tasks: Limits
    canonical: float = Field(default=0.3, ge=0, le=1)
    colours: bool = True
    duplicates: Literal["keep", "exact", "near"] = "near"
    pictures: Pictures = Pictures()
    exclude: list[Path] = []
    sources: list[CorpusSource] = Field(min_length=1)

    @field_validator("tasks")
    @classmethod
    def _known_tasks(cls, tasks: dict[str, int]) -> dict[str, int]:
        for name in tasks:
            _known_task(name)
        return tasks

    @model_validator(mode="after")
    def _fits(self) -> CorpusRecipe:
        seen: set[tuple[str, str]] = set()
        for source in self.sources:
            for name in source.tasks:
                _known_task(name)
            key = (source.called, source.split)
            if key in seen:
                raise ValueError(
                    f"{key[0]!r} stands twice with the split {key[1]!r}; give one of them a name with as:"
                )
            seen.add(key)
        if self.pictures.check == "head" and (self.colours or self.duplicates == "near"):
            wish = "colours: true" if self.colours else "duplicates: near"
            raise ValueError(
                f"{wish} looks at pixels, which pictures.check: head does not read; change one of them"
            )
        return self

    @property
    def digest(self) -> str:
        """What the corpus depends on, as one short word: not where it is written."""
        record = {"format": FORMAT, **self.model_dump(mode="json", exclude={"output"})}
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def _known_task(name: str) -> None:
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(TASKS)}"
        raise ValueError(f"unknown task {name!r}; {hint}")


def load_corpus_recipe(path: str | Path, overrides: list[str] | None = None) -> CorpusRecipe:
    """Read a recipe and apply `a.b=c` overrides (list items by number: `sources.0.cap=100`).

    Raises:
        UserError: for a missing file, broken YAML, an unknown key (with the nearest known one) or a wrong value.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(
            f"no recipe at {str(path)!r}; give the path of a YAML file such as recipes/corpus-nano.yaml"
        )
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: a recipe is a mapping of names to values")
    for override in overrides or []:
        _override(raw, override)
    try:
        return CorpusRecipe.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: {_explain(error)}") from None


def _override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--set {override!r}: write it as name.name=value")
    *parents, last = key.split(".")
    node: Any = raw
    try:
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
        node[int(last) if isinstance(node, list) else last] = yaml.safe_load(text)
    except (IndexError, ValueError, AttributeError, TypeError, yaml.YAMLError):
        raise UserError(f"--set {override!r}: the recipe has nothing at {key!r}") from None


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(first["loc"][-1]), _keys_at(first["loc"][:-1]), n=1)
        return f"unknown key {where!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    return f"{where}: {first['msg']} (got {first['input']!r})"


def _keys_at(place: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at that place of the recipe: those of `sources.3` are not those of `pictures`."""
    section: type[BaseModel] = CorpusRecipe
    for part in place:
        if isinstance(part, int):
            continue
        kind = section.model_fields[part].annotation
        for inner in (kind, *typing.get_args(kind)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                section = inner
    return [field.alias or name for name, field in section.model_fields.items()]
