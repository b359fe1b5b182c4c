"""A corpus built by `skymoe data build`, read for training: its items in their order, questions worded already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from skymoe.data.corpus.formats import read_shard
from skymoe.data.corpus.manifest import MANIFEST
from skymoe.errors import UserError

MARK = "<image>"


@dataclass(frozen=True, slots=True)
class CorpusItem:
    """One conversation on one picture; kept as JSON, because a quarter of a million of them are held in memory."""

    corpus: str
    record: bytes

    def conversation(self) -> tuple[Path, list[dict[str, Any]]]:
        """The picture's file, and messages that end with the answer.

        Raises:
            UserError: it has not exactly one picture inside the corpus, or no answer.
        """
        name, images, messages = json.loads(self.record)
        if (
            len(images) != 1
            or PurePosixPath(images[0]).is_absolute()
            or ".." in PurePosixPath(images[0]).parts
        ):
            raise UserError(
                f"{self.corpus}, item {name}: pictures {images}; an item has one, inside the corpus"
            )
        messages = [{**message, "content": _parts(message["content"])} for message in messages]
        if not messages or messages[-1]["role"] != "assistant":
            raise UserError(f"{self.corpus}, item {name}: its last message is no answer")
        return Path(self.corpus) / images[0], messages

    @property
    def length(self) -> int:
        """Bytes of its text: what its tokens are roughly proportional to."""
        return len(self.record)


def read_corpus(folder: Path) -> list[CorpusItem]:
    """All items of a finished corpus.

    Raises:
        UserError: there is no finished corpus, or a shard is damaged or holds fewer items than the manifest says.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(
            f"no corpus in {str(folder)!r}: skymoe data build makes one, such as recipes/corpus-skymoe.yaml"
        )
    items: list[CorpusItem] = []
    for shard in json.loads(path.read_text(encoding="utf-8"))["shards"]:
        before = len(items)
        for item in read_shard(folder / shard["file"]):
            kept = [item["id"], item["images"], item["messages"]]
            items.append(CorpusItem(str(folder), json.dumps(kept, ensure_ascii=False).encode()))
        if len(items) - before != shard["items"]:
            raise UserError(
                f"{folder / shard['file']} holds {len(items) - before} items, {MANIFEST} tells of {shard['items']}: "
                "build the corpus again"
            )
    if not items:
        raise UserError(f"the corpus in {str(folder)!r} is empty")
    return items


def _parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Chat parts of a message, whose text may mark its picture in LLaVA's way."""
    if not isinstance(content, str):
        return content
    text = {"type": "text", "text": content.replace(MARK, "").strip("\n")}
    return [{"type": "image"}, text] if MARK in content else [text]
