"""Pascal VOC folders: official, as labelImg leaves them, and damaged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from data.sources.files.conftest import Read
from data.sources.miniatures import voc
from data.sources.miniatures.drawn import CLASSES, OBJECTS, Box
from skymoe.data.sources import get_source
from skymoe.errors import UserError

BOX: Box = (10, 10, 20, 20)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    voc.write(tmp_path)
    return tmp_path


def annotate(root: Path, stem: str, text: str) -> None:
    (root / f"voc/Annotations/{stem}.xml").write_text(text, encoding="utf-8")


def test_objects_come_back_as_they_were_drawn(root: Path, read: Read) -> None:
    samples, reasons = read("voc", root, annotations="voc")
    assert not reasons
    for split, stems in voc.SETS.items():
        for stem in stems:
            assert samples[f"voc/{stem}"].split == split
    for name, objects in OBJECTS.items():
        sample = samples[f"voc/{Path(name).stem}"]
        assert [(r.name, r.box) for r in sample.regions] == objects
        assert sample.complete == {kind for kind, _ in objects}
        assert sample.absent == set(CLASSES) - sample.complete
    assert read("voc", root, annotations="voc/Annotations")[0] == samples
    shifted, _ = read(
        "voc", root, annotations="voc", one_based=True, names=["ship", "plane", "storage tanks"]
    )
    assert shifted["voc/tank"].regions[0].box == (29, 19, 50, 40)
    assert shifted["voc/tank"].absent == {"ship", "plane"}


def test_labelimg_leaves_all_in_one_folder(root: Path, read: Read) -> None:
    for name in OBJECTS:
        stem = Path(name).stem
        (root / "voc/JPEGImages" / name).rename(root / "voc/Annotations" / name)
        if stem == "tank":  # renamed after it was annotated, and named so in the file
            (root / "voc/Annotations" / name).rename(root / "voc/Annotations/image7.png")
            text = voc.xml("image7.png", OBJECTS[name])
            annotate(root, stem, text.replace("<width>64", "<width>0").replace("<height>48", "<height>0"))
    (root / "voc/Annotations").rename(root / "mine")
    samples, reasons = read("voc", root, annotations="mine")
    assert not reasons
    assert samples["voc/tank"].image.endswith("mine/image7.png")
    assert {name: len(s.regions) for name, s in samples.items()} == {
        "voc/port": 3, "voc/tank": 1, "voc/sea": 0, "voc/ships": 2,
    }  # fmt: skip


def test_lists_that_do_not_fit_the_folder(root: Path, read: Read) -> None:
    main = root / "voc/ImageSets/Main"
    (main / "val.txt").write_text("gone 1\n../../x\nport\n", encoding="utf-8")
    samples, reasons = read("voc", root, annotations="voc")
    assert set(samples) == {"voc/port", "voc/tank", "voc/ships"}
    assert reasons == {
        "gone": "has no annotation file", "../../x": "has no annotation file",
        "port": "is listed a second time", "sea": "stands in none of the lists of ImageSets/Main",
    }  # fmt: skip
    (main / "train.txt").rename(main / "trainval.txt")
    assert read("voc", root, annotations="voc")[0] == samples


def test_one_object_that_cannot_be_used_costs_its_class_the_count(root: Path, read: Read) -> None:
    things = [
        (voc.thing("ship", (1, 1, 1, 9)), "the box has no area: (1, 1, 1, 9)"),
        (voc.thing("ship", (9, 1, 3, 9)), "the box has no area: (9, 1, 3, 9)"),
        (voc.thing("ship", (math.nan, 1, 3, 9)), "the bndbox has a coordinate that is no number"),
        (voc.thing("ship", (1, 1, 3, math.inf)), "the bndbox has a coordinate that is no number"),
        (voc.thing("ship", (100, 100, 130, 190)), "ship lies outside the 64×48 picture: (100, 100, 130, 190)"),
        ("<object><name>ship</name></object>", "the object has no bndbox"),
        ("<object><name>ship</name><bndbox><xmin>1</xmin></bndbox></object>", "the bndbox has no ymin"),
        ("<object><bndbox></bndbox></object>", "the object has no known class"),
        (voc.thing("ship", (2, 2, 34, 14)), "ship is annotated a second time"),
    ]  # fmt: skip
    difficult = voc.xml("tank.png", []).replace("</annotation>", f"{voc.thing('ship', BOX, 1)}</annotation>")
    annotate(root, "tank", difficult)
    whole = voc.xml("ships.png", OBJECTS["ships.png"])
    more = "".join(text for text, _ in things)
    annotate(root, "ships", whole.replace("</annotation>", f"{more}</annotation>"))
    samples, reasons = read("voc", root, annotations="voc")
    assert reasons == {f"ships#{place}": reason for place, (_, reason) in enumerate(things, 2)}
    assert len(samples["voc/ships"].regions) == 2
    assert not samples["voc/ships"].complete | samples["voc/ships"].absent
    assert [region.difficult for region in samples["voc/tank"].regions] == [True]


def test_turned_boxes_of_rolabelimg(root: Path, read: Read) -> None:
    turned = "<robndbox><cx>30</cx><cy>24</cy><w>20</w><h>10</h><angle>1.5707963</angle></robndbox>"
    annotate(root, "tank", f"<annotation><object><name>ship</name>{turned}</object></annotation>")
    samples, reasons = read("voc", root, annotations="voc")
    assert not reasons
    assert samples["voc/tank"].regions[0].box == pytest.approx((25, 14, 35, 34), abs=1e-4)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "tank.xml is damaged"), (voc.xml("tank.png", [])[:150], "tank.xml is damaged"),
        ("\0\1", "tank.xml is damaged"), ("<a>" * 50_000, "tank.xml is damaged"),
        ('<!DOCTYPE a [<!ENTITY x "xx">]><annotation>&x;</annotation>', "tank.xml declares a document type"),
        (voc.xml("tank.png", []).replace(">64<", ">640<"), "is annotated as 640×48 px, the picture has 64×48"),
        (voc.xml("tank.png", []).replace(">64<", ">1e99<"), "is annotated as 1e[+]99×48 px"),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_damaged_file_is_one_entry_in_quarantine(root: Path, read: Read, text: str, reason: str) -> None:
    annotate(root, "tank", text)
    samples, reasons = read("voc", root, annotations="voc")
    assert len(samples) == 3
    assert list(reasons) == ["tank"]
    with pytest.raises(UserError, match=reason):
        raise UserError(reasons["tank"])


def test_missing_damaged_and_foreign_pictures(root: Path, read: Read) -> None:
    (root / "voc/JPEGImages/port.png").write_bytes(b"\x89PNG")
    (root / "voc/JPEGImages/tank.png").unlink()
    annotate(root, "tank", voc.xml("../../secret.png", []))
    (root / "voc/JPEGImages/sea.jpg").unlink()
    _, reasons = read("voc", root, annotations="voc")
    assert reasons == {
        "port": "picture port.png is damaged", "sea": "picture sea.jpg is missing",
        "tank": "picture '../../secret.png' leads out of the image folder",
    }  # fmt: skip


def test_mistakes_are_one_line(root: Path) -> None:
    def fails(message: str, **options: Any) -> None:
        with pytest.raises(UserError, match=message) as caught:
            list(get_source("voc", root, **options).samples("train"))
        assert "\n" not in str(caught.value)

    fails("voc: say annotations=")
    fails("voc: there is no .*nowhere; give its path", annotations="nowhere")
    fails(
        "voc: .*JPEGImages has no XML file; docs/your-data.md shows the format", annotations="voc/JPEGImages"
    )
    (root / "voc/ImageSets/Main/train.txt").write_bytes(b"\xff\xff")
    fails("voc: .*train.txt is no UTF-8 text; save it as UTF-8", annotations="voc")
