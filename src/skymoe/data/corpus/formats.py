"""Items on disk: shards of JSONL or Parquet, with the same keys in both."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skymoe.errors import UserError

if TYPE_CHECKING:
    import pyarrow

WORK = ".work"
"""Of a build under way, below the corpus: what is not whole yet stands there, and goes with it."""
SUFFIXES = {"jsonl": ".jsonl", "parquet": ".parquet"}


def shard_name(number: int, format: str) -> str:
    return f"items-{number:05d}{SUFFIXES[format]}"


def unfinished(corpus: Path, target: Path) -> Path:
    """Where this process writes a file of the corpus before it is renamed to its place."""
    return corpus / WORK / f"{target.name}.{os.getpid()}.part"


def write_shard(path: Path, lines: Sequence[bytes], messages: str) -> None:
    """Write a shard whole or not at all."""
    part = unfinished(path.parent, path)
    try:
        if path.suffix == SUFFIXES["jsonl"]:
            part.write_bytes(b"".join(lines))
        else:
            _write_parquet(part, lines, messages)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error


def read_shard(path: Path) -> Iterator[dict[str, Any]]:
    """The items of a shard, one after the other; UserError where it is damaged."""
    if path.suffix == SUFFIXES["parquet"]:
        yield from _read_parquet(path)
        return
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                try:
                    record = json.loads(text)
                except json.JSONDecodeError as error:
                    raise UserError(
                        f"{path}, line {number}: no JSON ({error}); build the corpus again"
                    ) from None
                yield record
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); build the corpus again") from error


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(
            "Parquet needs pyarrow: pip install 'skymoe[data]', or choose format: jsonl"
        ) from error
    return pyarrow


def require(format: str) -> None:
    """UserError where the library of that format is not there: before hours are spent."""
    if format == "parquet":
        _arrow()


def _schema(messages: str) -> pyarrow.Schema:
    pa = _arrow()
    text = pa.string()
    part = pa.struct([("type", text), ("text", text)])
    content = text if messages == "tagged" else pa.list_(part)
    answer = pa.struct(
        [
            ("text", text),
            ("label", text),
            ("number", pa.int64()),
            ("boxes", pa.list_(pa.list_(pa.float64()))),
            ("subject", text),
            ("kind", text),
            ("official", pa.bool_()),
        ]
    )
    return pa.schema(
        [
            ("id", text),
            ("messages", pa.list_(pa.struct([("role", text), ("content", content)]))),
            ("images", pa.list_(text)),
            *(
                (name, text)
                for name in ("task", "granularity", "source", "licence", "split", "pair", "sample")
            ),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("answer", answer),
        ]
    )


def _write_parquet(path: Path, lines: Sequence[bytes], messages: str) -> None:
    pa = _arrow()
    table = pa.Table.from_pylist([json.loads(text) for text in lines], schema=_schema(messages))
    pa.parquet.write_table(table, path, compression="zstd", row_group_size=2000)


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    pa = _arrow()
    try:
        with pa.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                for record in batch.to_pylist():
                    yield _without_nulls(record)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path}: cannot be read ({reason}); build the corpus again") from error


def _without_nulls(record: dict[str, Any]) -> dict[str, Any]:
    """Parquet gives every part of a message all keys; the parts are again as JSONL has them."""
    for message in record["messages"] or ():
        if isinstance(message["content"], list):
            for part in message["content"]:
                if part.get("text") is None:
                    part.pop("text", None)
    return record
