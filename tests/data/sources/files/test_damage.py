"""Whatever happens to the bytes of an annotation file: samples, quarantine, or one line of error; never a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from data.sources.miniatures import coco, conversations, table, voc, yolo
from skymoe.data.sources import SPLITS, get_source
from skymoe.errors import UserError

Case = tuple[Callable[[Path], None], str, dict[str, Any]]
TALK = {"images": "talk/images"}
CASES: dict[str, Case] = {
    "coco": (coco.write, "coco/instances.json", {"annotations": "coco/instances.json", "images": "coco/images"}),
    "captions": (coco.write, "coco/captions.json", {"annotations": "coco/captions.json", "images": "coco/images"}),
    "yaml": (yolo.write, "yolo/data.yaml", {"annotations": "yolo/data.yaml"}),
    "labels": (yolo.write, "yolo-obb/labels/train/port.txt", {"annotations": "yolo-obb/data.yaml"}),
    "xml": (voc.write, "voc/Annotations/port.xml", {"annotations": "voc"}),
    "lists": (voc.write, "voc/ImageSets/Main/train.txt", {"annotations": "voc"}),
    "geochat": (conversations.write, "talk/geochat.json", {"annotations": "talk/geochat.json", **TALK}),
    "messages": (conversations.write, "talk/messages.jsonl", {"annotations": "talk/messages.jsonl", **TALK}),
    "boxes": (table.write, "tables/boxes.csv", {"annotations": "tables/boxes.csv", "images": "tables/images"}),
    "phrases": (table.write, "tables/phrases.csv", {"annotations": "tables/phrases.csv", "images": "tables/images"}),
}  # fmt: skip
READERS = {"captions": "coco", "yaml": "yolo", "labels": "yolo", "xml": "voc", "lists": "voc",
           "geochat": "conversations", "messages": "conversations", "boxes": "csv", "phrases": "csv"}  # fmt: skip
WORDS = (
    b"null", b"-1", b"1e999", b"NaN", b"[]", b"{}", b"true", b'""', b"\xff\xfe", b"../", b"\n", b"0", b"<a>",
    b"\\ud800",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_damaged_bytes(case: str, tmp_path: Path) -> None:
    write, name, options = CASES[case]
    write(tmp_path)
    path, rng = tmp_path / name, Random(case)
    whole, survived, lines = path.read_bytes(), 0, 0
    for _ in range(60):
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(broken))
            broken[at : at + rng.choice((0, 1, 1, 2, 5, 30))] = rng.choice(
                (b"", rng.choice(WORDS), rng.choice(WORDS))
            )
        path.write_bytes(bytes(broken))
        try:
            source = get_source(READERS.get(case, case), tmp_path, **options)
            for split in SPLITS:
                for sample in source.samples(split):
                    for region in sample.regions:
                        assert 0 <= region.box[0] < region.box[2] <= sample.width
                        assert 0 <= region.box[1] < region.box[3] <= sample.height
                    assert Path(sample.image).resolve().is_relative_to(tmp_path)
                for entry in source.quarantined:
                    assert "\n" not in f"{entry.reason}"
                    f"{entry.entry} {entry.reason}".encode()
            survived += 1
        except UserError as error:
            lines += str(error).count("\n")
    assert survived
    assert not lines
