"""The schema of a corpus recipe (YAML)."""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from skymoe.errors import UserError
from skymoe.recipe_files import Section, read_recipe  # says which extra is missing, before pydantic does
from skymoe.tasks import TASKS

from pydantic import Field, field_validator, model_validator  # isort: skip

FORMAT = 1
"""Of the corpus on disk; a corpus begun by another format is not continued."""

Limits = dict[str, Annotated[int, Field(ge=0)]]


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
        """What the corpus depends on, as one short word: not where it is written, but what the lists in `exclude`
        say, so that a longer list makes another corpus."""
        record = {"format": FORMAT, **self.model_dump(mode="json", exclude={"output", "exclude"})}
        record["exclude"] = sorted(map(_content, self.exclude))
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def _content(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"exclude: {path} cannot be read ({error.strerror or error})") from error


def _known_task(name: str) -> None:
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(TASKS)}"
        raise ValueError(f"unknown task {name!r}; {hint}")


def load_corpus_recipe(path: str | Path, overrides: list[str] | None = None) -> CorpusRecipe:
    """Read a corpus recipe; see `skymoe.recipe_files.read_recipe` for overrides and errors."""
    return read_recipe(path, CorpusRecipe, "recipes/corpus-nano.yaml", overrides)
