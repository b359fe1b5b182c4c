"""Reading users' annotation files: any damage is one line that names the file and the remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skymoe.errors import UserError


def read_text(path: Path, source: str) -> str:
    """The text of a file in UTF-8, with or without byte order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{source}: {path} can't be read ({error.strerror}); give a file that can") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: {path} is no UTF-8 text; save it as UTF-8") from error
    except ValueError as error:  # a zero byte or half a character in the name
        raise UserError(f"{source}: {str(path)!r} is no path; give a file") from error


def read_json(path: Path, source: str) -> Any:
    """The content of a JSON file."""
    return parse_json(read_text(path, source), str(path), source)


def parse_json(text: str, where: str, source: str) -> Any:
    """The value of a JSON text; `where` names it in errors."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError also for numbers of thousands of digits
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{source}: {where} is damaged or no JSON ({reason}); export it again") from error


def read_records(path: Path, source: str) -> Iterator[tuple[str, Any]]:
    """The entries of a JSON list or of JSON lines, with what to call each; a damaged line gives a UserError
    value instead of ending the reading."""
    text = read_text(path, source)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        # Not splitlines: a text may hold line separators that JSON does not count.
        for place, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    yield f"line {place}", parse_json(line, f"line {place}", source)
                except UserError as error:
                    yield f"line {place}", error
        return
    content = parse_json(text, str(path), source)
    if not isinstance(content, list):
        raise wrong(path, "is no list of entries", source)
    for place, record in enumerate(content):
        yield f"entry {place}", record


def read_yaml(path: Path, source: str) -> Any:
    """The content of a YAML file."""
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise UserError(f"{source}: {path} needs pyyaml; pip install 'skymoe[train]'") from error
    try:
        return yaml.safe_load(read_text(path, source))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{source}: {path} is damaged or no YAML ({reason}); mend it") from error


def wrong(
    path: Path, what: str, source: str, remedy: str = "docs/your-data.md shows the format"
) -> UserError:
    """The error for a file that can be read but is not of this format."""
    return UserError(f"{source}: {path} {what}; {remedy}")
