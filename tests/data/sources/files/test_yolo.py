"""YOLO: data.yaml as Ultralytics and Roboflow write it, boxes, oriented boxes, and what can be wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from data.sources.files.conftest import Read
from data.sources.miniatures import yolo
from data.sources.miniatures.drawn import CLASSES, OBJECTS, draw
from skymoe.boxes import polygon_bounds
from skymoe.data.sources import get_source
from skymoe.errors import UserError
from skymoe.rasters import WORKING_PIXELS

YAML = {"annotations": "yolo/data.yaml"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    yolo.write(tmp_path)
    return tmp_path


def label(root: Path, stem: str, text: str) -> None:
    split = next(split for name, split in yolo.SPLITS.items() if name.startswith(stem))
    (root / f"yolo/labels/{split}/{stem}.txt").write_text(text, encoding="utf-8")


def test_objects_come_back_as_they_were_drawn(root: Path, read: Read) -> None:
    samples, reasons = read("yolo", root, **YAML)
    assert not reasons
    for name, objects in OBJECTS.items():
        sample = samples[f"yolo/images/{yolo.SPLITS[name]}/{name}"]
        assert sample.split == yolo.SPLITS[name]
        assert [(r.name, tuple(round(v, 3) for v in r.box)) for r in sample.regions] == objects
        assert sample.complete == {kind for kind, _ in objects}
        assert sample.absent == {*CLASSES, "plane"} - sample.complete


def test_oriented_boxes_keep_their_corners(root: Path, read: Read) -> None:
    samples, reasons = read("yolo", root, annotations="yolo-obb/data.yaml")
    assert not reasons
    ship = samples["yolo/images/val/ships.png"].regions[0]
    assert ship.polygon == pytest.approx((4, 6, 32, 2, 34, 10, 2, 14), abs=1e-3)
    assert ship.box == polygon_bounds(ship.polygon)


@pytest.mark.parametrize(
    "text",
    [
        "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['ship', 'storage tank']\n",  # Roboflow
        "path: /home/someone/else\ntrain: train/images\nvalid: valid/images\nnames: {0: ship, 1: storage tank}\n",
        "train: [train/images]\nval: val.txt\nnames: [ship, storage tank]\n",
    ],
    ids=["roboflow", "moved", "lists"],
)
def test_other_layouts(root: Path, read: Read, text: str) -> None:
    home = root / "other"
    for part in ("images", "labels"):
        shutil.copytree(root / "yolo" / part / "train", home / "train" / part)
        shutil.copytree(root / "yolo" / part / "val", home / "valid" / part)
    (home / "val.txt").write_text(
        "./valid/images/ships.png\n\nvalid/images/gone.png\n../../secret.png\n", "utf-8"
    )
    (home / "data.yaml").write_text(text, encoding="utf-8")
    samples, reasons = read("yolo", root, annotations="other/data.yaml")
    assert {s.id: (s.split, len(s.regions)) for s in samples.values()} == {
        "yolo/train/images/port.png": ("train", 3), "yolo/train/images/sea.jpg": ("train", 0),
        "yolo/train/images/tank.png": ("train", 1), "yolo/valid/images/ships.png": ("val", 2),
    }  # fmt: skip
    if "val.txt" in text:
        assert reasons == {
            "valid/images/gone.png": "picture valid/images/gone.png is missing",
            "../../secret.png": "picture '../../secret.png' leads out of the image folder",
        }


def test_without_a_yaml(root: Path, read: Read) -> None:
    options: dict[str, Any] = {"images": "yolo/images", "labels": "yolo/labels", "names": yolo.CLASSES}
    samples, reasons = read("yolo", root, **options)
    assert not reasons
    assert sorted(len(sample.regions) for sample in samples.values()) == [0, 1, 2, 3]
    (root / "classes.txt").write_text("\n".join(yolo.CLASSES), encoding="utf-8")
    assert read("yolo", root, images="yolo/images", names="classes.txt")[0] == samples
    # labelImg leaves the labels beside the pictures.
    for path in (root / "yolo/labels/train").iterdir():
        path.rename(root / "yolo/images/train" / path.name)
    beside, _ = read("yolo", root, images="yolo/images/train", names="classes.txt")
    assert len(beside["yolo/port.png"].regions) == 3


def test_lines_that_cannot_be_used_cost_their_class_the_count(root: Path, read: Read) -> None:
    bad = [
        ("0 nan 0.5 0.1 0.1", "the box has no area|ship has a coordinate that is no number"),
        ("0 0.5 0.5 nan 0.1", "the box has no area: width nan, height 0.1"),
        ("0 0.5 0.5 0 0.1", "the box has no area: width 0, height 0.1"),
        ("0 0.5 0.5 1e-9 0.1", "ship is thinner than a hundredth of a pixel"),
        ("0 0.5 0.5 -0.1 0.1", "the box has no area: width -0.1, height 0.1"),
        ("0 1.9 1.9 0.1 0.1", "ship lies outside the 64×48 picture"),
        ("0 30 20 10 10", "the line holds pixels, not shares of the picture"),
        ("0 1e400 0.5 0.1 0.1", "ship has a coordinate that is no number"),
        ("0 0.5 0.5 0.1 0.1 0.97", "the line has 6 numbers, .*; a sixth is a detector's confidence"),
        ("0 0.5 0.5", "the line has 3 numbers, not 5 or an odd number from 7"),
        ("0", "the line has 1 numbers"),
        ("0 a b c d", "the box has no area: width c, height d"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3", "ship has an outline without area|ship is thinner than"),
        *((f"{w} 0.5 0.5 0.1 0.1", "the object has no known class") for w in ("3", "-1", "0.5", "ship", "9" * 500)),
    ]  # fmt: skip
    label(root, "tank", "1.0 0.625 0.625 0.3125 0.416667\n\n")
    label(root, "sea", "".join(f"{line}\n" for line, _ in bad[:13]))
    label(
        root,
        "port",
        "1 0.5 0.5 0.1 0.1\n" + "".join(f"{line}\n" for line, _ in bad[13:]) + "1 0.5 0.5 0.1 0.1",
    )
    samples, reasons = read("yolo", root, **YAML)
    expected = {f"images/train/sea.jpg#{n}": reason for n, (_, reason) in enumerate(bad[:13], 1)}
    expected |= {f"images/train/port.png#{n}": reason for n, (_, reason) in enumerate(bad[13:], 2)}
    expected["images/train/port.png#7"] = "storage tank is annotated a second time"
    assert set(reasons) == set(expected)
    for entry, reason in expected.items():
        with pytest.raises(UserError, match=reason):
            raise UserError(reasons[entry])
    sea, port = samples["yolo/images/train/sea.jpg"], samples["yolo/images/train/port.png"]
    assert sea.count("ship") is None
    assert sea.count("plane") == 0
    assert len(port.regions) == 1
    assert not port.complete | port.absent  # the unknown classes may have been any
    assert samples["yolo/images/train/tank.png"].count("storage tank") == 1


def test_missing_labels_are_no_background_unless_one_says_so(root: Path, read: Read) -> None:
    (root / "yolo/labels/train/tank.txt").unlink()
    (root / "yolo/labels/train/port.txt").write_bytes(b"\xff\xfe0\x000")
    samples, reasons = read("yolo", root, **YAML)
    assert reasons == {
        "images/train/tank.png": "has no label file; background=True takes it for a picture without objects",
        "images/train/port.png": "its label file port.txt can't be read as text",
    }
    samples, reasons = read("yolo", root, background=True, **YAML)
    assert samples["yolo/images/train/tank.png"].absent == {*CLASSES, "plane"}
    assert list(reasons) == ["images/train/port.png"]


def test_key_points_are_left_out(root: Path, read: Read) -> None:
    path = root / "yolo/data.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "kpt_shape: [2, 2]\n", encoding="utf-8")
    label(root, "tank", "1 0.625 0.625 0.3125 0.416667 0.1 0.2 0.3 0.4\n")
    samples, reasons = read("yolo", root, **YAML)
    assert not reasons
    assert samples["yolo/images/train/tank.png"].regions[0].polygon is None


def test_damaged_and_absurdly_large_pictures(root: Path, read: Read) -> None:
    images = root / "yolo/images/train"
    (images / "port.png").write_bytes((images / "port.png").read_bytes()[:20])
    (images / "sea.jpg").unlink()
    draw(images / "sea.tif", [], (9000, WORKING_PIXELS // 9000 + 1))
    samples, reasons = read("yolo", root, **YAML)
    assert reasons == {
        "images/train/port.png": "picture port.png is damaged",
        "images/train/sea.tif": "picture sea.tif has 9,000×4,445 px, above 40,000,000; cut it into tiles",
    }
    assert len(samples) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no data.yaml"), ("- a\n- b\n", "is no data.yaml"), ("train: [", "is damaged or no YAML"),
        ("a: &a [1]\ntrain: !!python/object/apply:os.system ['ls']", "is damaged or no YAML"),
        ("train: /etc\nnames: [a]", "speaks of '/etc', which is not below .*yolo; put the pictures there, or say im"),
        ("train: ../..\nnames: [a]", "which is not below"),
        ("train: images/nowhere\nnames: [a]", "which is not below"),
        ("train: images/train", "has no class names; give names:"),
        ("train: images/train\nnames: {a: b}", "are no class"),
        ("train: images/train\nnames: {0: a, 99999999999: b}", "are no class numbers"),
    ],
    ids=range(10),
)  # fmt: skip
def test_a_damaged_yaml_is_one_line(root: Path, text: str, message: str) -> None:
    (root / "yolo/data.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        list(get_source("yolo", root, **YAML).samples("train"))
    assert "\n" not in str(caught.value)


def test_what_has_to_be_said() -> None:
    with pytest.raises(UserError, match=r"yolo: say annotations= \(the data.yaml\), or images= and names="):
        get_source("yolo", ".", images="a")
    with pytest.raises(UserError, match=r"yolo: there is no .*gone.yaml; give its path as seen from"):
        get_source("yolo", ".", annotations="gone.yaml").samples("train")


@pytest.mark.data
def test_real_dota_survives_the_way_through_oriented_yolo(real: Path, read: Read, tmp_path: Path) -> None:
    if not (real / "DOTA-example/labelTxt").is_dir():
        pytest.skip(f"no DOTA-example in {real}")
    names: list[str] = []
    wanted: dict[str, list[list[float]]] = {}
    for path in sorted((real / "DOTA-example/labelTxt").glob("*.txt")):
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        rows = [row for row in rows if len(row) == 10]
        wanted[path.stem] = [list(map(float, row[:8])) for row in rows]
        names += [row[8] for row in rows if row[8] not in names]
    samples, _ = read("yolo", real, images="DOTA-example/images", names=names, background=True)
    labels = tmp_path / "labels"
    labels.mkdir()
    for sample in samples.values():
        stem = Path(sample.image).stem
        rows = [
            line.split()
            for line in (real / f"DOTA-example/labelTxt/{stem}.txt").read_text("utf-8").splitlines()
        ]
        lines = []
        for row in rows:
            if len(row) == 10:
                shares = [float(v) / (sample.width, sample.height)[i % 2] for i, v in enumerate(row[:8])]
                lines.append(f"{names.index(row[8])} " + " ".join(f"{share:.8f}" for share in shares))
        (labels / f"{stem}.txt").write_text("\n".join(lines), encoding="utf-8")
    samples, reasons = read("yolo", real, images="DOTA-example/images", labels=labels, names=names)
    assert len(samples) == 4
    unusable = len(reasons)
    assert sum(len(sample.regions) for sample in samples.values()) + unusable == sum(
        map(len, wanted.values())
    )
    for sample in samples.values():
        corners = [pytest.approx(polygon_bounds(points), abs=1) for points in wanted[Path(sample.image).stem]]
        assert all(region.box in corners for region in sample.regions if min(region.box) > 0)
