"""CSV tables: what the columns are guessed to be, and what can be wrong in the rows."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from data.sources.files.conftest import Read
from data.sources.miniatures import table
from data.sources.miniatures.drawn import OBJECTS
from skymoe.data.sources import get_source
from skymoe.errors import UserError
from skymoe.sample import Question

IMAGES = {"images": "tables/images"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    table.write(tmp_path)
    return tmp_path


def mine(root: Path, text: str | bytes) -> dict[str, Any]:
    path = root / "tables/mine.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {"annotations": "tables/mine.csv", **IMAGES}


def fails(root: Path, message: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=message) as caught:
        list(get_source("csv", root, **options).samples("train"))
    assert "\n" not in str(caught.value)


def test_captions_labels_and_questions(root: Path, read: Read) -> None:
    samples, reasons = read("csv", root, annotations="tables/captions.csv", **IMAGES)
    assert samples["csv/port.png"].captions == ("Two tanks, white, above a ship.", "tanks and a ship")
    assert {name: sample.split for name, sample in samples.items()} == {
        "csv/port.png": "train",
        "csv/sea.jpg": "val",
    }
    assert not reasons
    samples, reasons = read("csv", root, annotations="tables/labels.csv", **IMAGES)
    assert (samples["csv/sea.jpg"].label, samples["csv/sea.jpg"].labels) == (
        "open_water",
        ("Harbor", "open_water"),
    )
    assert not reasons
    samples, reasons = read("csv", root, annotations="tables/questions.csv", **IMAGES)
    assert samples["csv/port.png"].questions == (
        Question("How many ships are there?", "1", "count"), Question("Is there an airplane?", "no", "presence"),
    )  # fmt: skip
    assert not reasons


def test_boxes_and_phrases(root: Path, read: Read) -> None:
    samples, reasons = read("csv", root, annotations="tables/boxes.csv", **IMAGES)
    assert not reasons
    for name, objects in OBJECTS.items():
        assert [(r.name, r.box) for r in samples[f"csv/{name}"].regions] == objects
    assert samples["csv/sea.jpg"].absent == {"ship", "storage tank"}
    samples, reasons = read("csv", root, annotations="tables/phrases.csv", **IMAGES)
    assert not reasons
    assert [(e.phrase, e.box) for e in samples["csv/ships"].expressions] == [
        ("the upper ship", (2, 2, 34, 14)), ("the lower ship", (10, 20, 60, 44)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "row", "options"),
    [
        ("file,class,xmin,ymin,xmax,ymax", "2,2,34,14", {}), ("file,class,x_min,y_min,x_max,y_max", "2,2,34,14", {}),
        ("file,class,x,y,w,h", "2,2,32,12", {}), ("file,class,x,y,width,height", "2,2,32,12", {}),
        ("file,class,cx,cy,w,h", "18,8,32,12", {}), ("file,class,left,top,right,bottom", "2,2,34,14", {}),
        ("file,class,bounds", '"(2, 2, 34, 14)"', {}), ("file,class,bbox", '"[2, 2, 32, 12]"', {"boxes": "xywh"}),
        ("file,class,box", "2 2 34 14", {}), ("file,class,x_center,y_center,width,height", "0.28125,0.166667,0.5,0.25",
                                              {"unit": "share"}),
        ("file,class,x1,y1,x2,y2,x3,y3,x4,y4", "2,2,34,2,34,14,2,14", {}),
        ("file,class,a,b,c,d", "2,2,34,14", {"columns": {"box": ["a", "b", "c", "d"]}}),
    ],
    ids=range(12),
)  # fmt: skip
def test_ways_to_write_a_box(root: Path, read: Read, header: str, row: str, options: dict[str, Any]) -> None:
    samples, reasons = read("csv", root, **mine(root, f"{header}\nships.png,ship,{row}\n"), **options)
    assert not reasons
    (region,) = samples["csv/ships.png"].regions
    assert region.box == pytest.approx((2, 2, 34, 14), abs=1e-4)


def test_columns_can_be_named(root: Path, read: Read) -> None:
    options = mine(root, "\ufeffBild,Satz,Rest\nport,Schiffe im Hafen,x\n")
    samples, _ = read("csv", root, columns={"image": "Bild", "caption": ["Satz", "Rest"]}, **options)
    assert samples["csv/port"].captions == ("Schiffe im Hafen", "x")
    assert len(read("csv", root, columns="image=Bild,caption=Satz", **options)[0]["csv/port"].captions) == 1
    fails(
        root, r"mine.csv has the columns 'Bild', 'Satz', 'Rest': none is the picture; say columns=", options
    )
    fails(root, "'Rest': there is no 'x' for image; give one of them", {**options, "columns": {"image": "x"}})
    fails(
        root,
        "none is a caption, a label, a question with its answer, or a box",
        {**options, "columns": {"image": "Bild"}},
    )
    fails(
        root,
        "columns has no role 'picture'; there are image, caption",
        {**options, "columns": {"picture": "Bild"}},
    )
    fails(root, "columns={'image': ''} is no table of roles", {**options, "columns": "image"})
    fails(root, "boxes='xy' is not known; choose one of xyxy", {**options, "boxes": "xy"})
    fails(
        root,
        "the column 'bbox' may hold x1 y1 x2 y2 or x y width height",
        mine(root, "image,label,bbox\na,b,c\n"),
    )
    fails(root, "boxes need a class or a phrase", mine(root, "image,x1,y1,x2,y2\na,1,2,3,4\n"))


def test_rows_that_cannot_be_used(root: Path, read: Read) -> None:
    rows = [
        ("ships.png,ship,nan,1,5,5", "the box (nan, 1, 5, 5) is not four numbers"),
        ("ships.png,ship,a,1,5,5", "the box (a, 1, 5, 5) is not four numbers"),
        ("ships.png,ship,1,1,,", "the box (1, 1, , ) is not four numbers"),
        ("ships.png,ship,9,1,5,5", "the box has no area: (9, 1, 5, 5)"),
        ("ships.png,ship,5,1,5,5", "the box has no area: (5, 1, 5, 5)"),
        ("ships.png,ship,500,500,600,600", "ship lies outside the 64×48 picture: (500, 500, 600, 600)"),
        ("ships.png,ship,1e400,1,5,5", "the box (1e400, 1, 5, 5) is not four numbers"),
        ("ships.png,ship,0.1,0.1,0.5,0.5", "the box lies within one pixel; unit='share' reads shares of the picture"),
        ("ships.png,,1,1,5,5", "the object has no known class"),
    ]  # fmt: skip
    text = "image,label,x1,y1,x2,y2\n" + "".join(f"{row}\n" for row, _ in rows)
    text += "tank.png,tank,1,1\n,ship,1,1,5,5\n../x.png,ship,1,1,5,5\ngone.png,ship,1,1,5,5\nsea.jpg,ship,1,1,5,5\n"
    samples, reasons = read("csv", root, **mine(root, text))
    expected = {f"ships.png#{line}": reason for line, (_, reason) in enumerate(rows, 2)}
    expected |= {
        "line 11": "has 4 cells, the header 6", "line 12": "names no picture",
        "../x.png": "picture '../x.png' leads out of the image folder", "gone.png": "picture gone.png is missing",
    }  # fmt: skip
    assert reasons == expected
    assert set(samples) == {"csv/ships.png", "csv/sea.jpg"}
    assert not samples["csv/ships.png"].complete | samples["csv/ships.png"].absent


def test_rows_that_contradict_each_other(root: Path, read: Read) -> None:
    _, reasons = read("csv", root, **mine(root, "image,scene,split\nport.png,a,train\nport.png,b,train\nsea.jpg,b,\n"
                                                "tank.png,a,train\ntank.png,a,test\nships.png,a,all\n"))  # fmt: skip
    assert reasons == {
        "port.png#3": "the label is 'b', before it was 'a'",
        "tank.png": "is in several splits: train, test", "ships.png": "its split 'all' is none of train, val, test",
    }  # fmt: skip
    _, reasons = read("csv", root, **mine(root, "image,question,answer\nsea.jpg,Any ships?,\nsea.jpg,,no\n"))
    assert reasons == {"sea.jpg#2": "the row has no answer", "sea.jpg#3": "the row has no question"}
    phrases = "image,phrase,x1,y1,x2,y2\nships.png,the ship,2,2,34,14\nships.png,the ship,10,20,60,44\n"
    _, reasons = read("csv", root, **mine(root, phrases))
    assert reasons == {"ships.png#3": "'the ship' was said of another place before"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "mine.csv has no rows below its header"), (b"image,caption\n", "has no rows below its header"),
        (b"image,caption\n\xff\xfe,x\n", "is no UTF-8 text; save it as UTF-8"),
        (b'image,caption\na,"' + b"x" * 200_000 + b'"\n', "can't be read as CSV after line .*field larger than"),
    ],
    ids=range(4),
)  # fmt: skip
def test_damaged_tables_are_one_line(root: Path, text: bytes, message: str) -> None:
    fails(root, message, mine(root, text))


@pytest.mark.data
def test_the_real_airbus_table_reads_as_it_is(real: Path, read: Read) -> None:
    path = real / "Airbus-OilStorage/annotations.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    samples, reasons = read("csv", real, annotations=path, images="Airbus-OilStorage/images", split="train")
    with path.open(newline="", encoding="utf-8") as file:
        rows = sum(1 for _ in csv.DictReader(file))
    regions = [region for sample in samples.values() for region in sample.regions]
    assert (len(samples), rows) == (45, 8670)
    assert len(regions) + len(reasons) == rows
    assert {region.name for region in regions} == {"oil storage tank"}
    # The file's known faults: two boxes without a height.
    assert sum("no area" in reason for reason in reasons.values()) == 2
