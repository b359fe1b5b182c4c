"""Recipes are YAML files checked by a pydantic schema before hours are spent on them: read, overridden, explained."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from skymoe.errors import UserError

try:
    import yaml
    from pydantic import BaseModel, ConfigDict, ValidationError
except ImportError as error:  # the core does without them
    raise UserError(
        f"reading a recipe needs {error.name}; pip install 'skymoe[data]' or 'skymoe[train]'"
    ) from error


class Section(BaseModel):
    """A part of a recipe. Unknown keys are errors: a typing mistake can't silently change a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


Schema = TypeVar("Schema", bound=Section)


def read_recipe(
    path: str | Path, schema: type[Schema], example: str, overrides: list[str] | None = None
) -> Schema:
    """Read a recipe and apply `a.b=c` overrides (list items by number: `stages.0.steps=10`).

    Raises:
        UserError: for a missing file (naming `example`), broken YAML, an unknown key (with the nearest one known at
            that place) or a wrong value.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(f"no recipe at {str(path)!r}; give the path of a YAML file such as {example}")
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: a recipe is a mapping of names to values")
    for override in overrides or []:
        _override(raw, override)
    return validated(raw, schema, str(path))


def validated(raw: dict[str, Any], schema: type[Schema], called: str) -> Schema:
    """The recipe that `raw` says; UserError in one line that begins with what it is `called`."""
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{called}: {_explain(error, schema, raw)}") from None


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


def _explain(error: ValidationError, schema: type[Section], raw: dict[str, Any]) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in _key(first["loc"], raw))
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(first["loc"][-1]), _keys_at(schema, first["loc"][:-1]), n=1)
        return f"unknown key {where!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if first["type"] == "union_tag_invalid":
        known = first["ctx"]["expected_tags"].replace("'", "")
        return f"{where}.{first['ctx']['discriminator'].strip(chr(39))}: {first['ctx']['tag']!r}; there are {known}"
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    return f"{where}: {first['msg']} (got {first['input']!r})"


def _key(place: tuple[int | str, ...], raw: Any) -> Iterator[int | str]:
    """The place as `--set` takes it: pydantic also names which kind of section an entry of a list was read as."""
    node, in_list = raw, False
    for part in place:
        if in_list and isinstance(node, dict) and node.get("kind") == part:
            in_list = False
            continue
        yield part
        in_list = isinstance(part, int)
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None


def _keys_at(schema: type[Section], place: tuple[int | str, ...]) -> list[str]:
    """The keys known at that place of the recipe: those of `sources.3` are not those of `pictures`."""
    sections: list[type[BaseModel]] = [schema]
    for part in place:
        inner = [
            model
            for section in sections
            if part in section.model_fields
            for model in _models(section.model_fields[str(part)].annotation)
        ]
        sections = inner or sections  # a list's number and a union's tag name no field
    return sorted(
        {field.alias or name for section in sections for name, field in section.model_fields.items()}
    )


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)
