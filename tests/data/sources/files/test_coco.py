"""COCO json: objects, outlines, captions; and every way in which a file can be hostile."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from data.sources.files.conftest import Read
from data.sources.miniatures import coco
from data.sources.miniatures.drawn import CLASSES, OBJECTS, draw
from skymoe.data.sources import get_source
from skymoe.errors import UserError
from skymoe.pictures import open_sample
from skymoe.tasks import TASKS

Json = dict[str, Any]
OPTIONS = {"annotations": "coco/instances.json", "images": "coco/images"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    coco.write(tmp_path)
    return tmp_path


def rewrite(root: Path, content: object) -> None:
    (root / "coco/instances.json").write_text(json.dumps(content), encoding="utf-8")


def test_objects_come_back_as_they_were_drawn(root: Path, read: Read) -> None:
    samples, reasons = read("coco", root, **OPTIONS)
    assert not reasons
    assert list(samples) != sorted(samples) or set(samples) == {f"coco/{name}" for name in OBJECTS}
    for name, objects in OBJECTS.items():
        sample = samples[f"coco/{name}"]
        assert [(r.name, r.box) for r in sample.regions] == objects
        # A straight rectangle needs no polygon, a triangle does.
        assert [r.polygon is not None for r in sample.regions] == [kind != "ship" for kind, _ in objects]
        assert sample.complete == {kind for kind, _ in objects}
        assert sample.absent == {*CLASSES, "plane"} - sample.complete
        assert sample.licence == "CC BY 4.0"
        assert open_sample(sample).size == (sample.width, sample.height)
        assert any(task.queries(sample) for task in TASKS.values())


def test_a_reader_can_be_sent_to_another_process(root: Path) -> None:
    source = get_source("coco", root, **OPTIONS)
    samples = list(source.samples("train"))
    assert list(pickle.loads(pickle.dumps(source)).samples("train")) == samples


def test_captions_and_both_together(root: Path, read: Read) -> None:
    samples, reasons = read("coco", root, annotations="coco/captions.json", images="coco/images")
    assert samples["coco/port.png"].captions == (
        "two tanks beside a ship .",
        "A ship below two white tanks .",
    )
    assert samples["coco/ships.png"].captions == ()
    assert not samples["coco/port.png"].absent  # captions annotate no class
    assert not reasons
    both = coco.instances()
    both["annotations"] += coco.captions()["annotations"] + [{"id": 9, "image_id": 1, "caption": "  "}]
    rewrite(root, both)
    samples, reasons = read("coco", root, **OPTIONS)
    assert len(samples["coco/port.png"].regions) == 3
    assert len(samples["coco/port.png"].captions) == 2
    assert reasons == {"tank.png#9": "the caption is empty or no text"}


def test_a_split_for_each_file_and_pictures_of_one_name(root: Path, read: Read) -> None:
    (root / "valid").mkdir()
    content = coco.instances()
    content["images"], content["annotations"] = content["images"][:1], []
    (root / "valid/v.json").write_text(json.dumps(content), encoding="utf-8")
    draw(root / "valid/port.png", [])
    pair = {"train": "coco/instances.json", "valid": "valid/v.json"}
    samples, reasons = read("coco", root, annotations=pair, images={"train": "coco/images", "val": "valid"})
    assert {sample.split for sample in samples.values()} == {"train", "val"}
    assert samples["coco/val/port.png"].image.endswith("valid/port.png")
    assert not samples["coco/val/port.png"].regions
    # The same file in two splits would be trained on and tested: the second is refused.
    samples, reasons = read("coco", root, annotations=pair, images="coco/images")
    assert reasons == {"port.png": "is listed a second time"}
    assert samples["coco/port.png"].split == "train"


def test_one_object_that_cannot_be_used_costs_its_class_the_count(root: Path, read: Read) -> None:
    bad: list[tuple[Json, str]] = [
        ({"bbox": [float("nan"), 1, 5, 5]}, "ship has a coordinate that is no number"),
        ({"bbox": [1e999, 1, 5, 5]}, "ship has a coordinate that is no number"),
        ({"bbox": [10**400, 1, 5, 5]}, "ship has a coordinate that is no number"),
        ({"bbox": [5, 5, 0, 9]}, "bbox has no area: width 0, height 9"),
        ({"bbox": [5, 5, -4, 9]}, "bbox has no area: width -4, height 9"),
        ({"bbox": [500, 500, 5, 9]}, "ship lies outside the 64×48 picture: (500, 500, 505, 509)"),
        ({"bbox": [5, 5, 9]}, "bbox is not x, y, width, height"),
        ({"bbox": "5 5 9 9"}, "bbox is not x, y, width, height"),
        ({"bbox": {"x": 1}}, "bbox is not x, y, width, height"),
        ({"bbox": [1, 1, 5, 5], "category_id": 99}, "the object has no known class"),
        ({"bbox": [1, 1, 5, 5], "category_id": [3]}, "the object has no known class"),
        ({}, "the object has neither a bbox nor polygons"),
        ({"segmentation": {"counts": [1, 2], "size": [48, 64]}}, "the mask's runs have 3 pixels instead of 48×64"),
        ({"segmentation": {"counts": [1e999], "size": [48, 64]}}, "the mask is damaged"),
        ({"segmentation": {"counts": "~~~", "size": [48, 64]}}, "the mask"),
        ({"segmentation": {"counts": [1], "size": [10**9, 1]}}, "the mask's size is [1000000000, 1], not [48, 64]"),
        ({"segmentation": [[1, 1, 5, 5]]}, "a segmentation is no polygon of three or more points"),
        ({"segmentation": [[1, 1, 5, "x", 5, 9]]}, "a segmentation has a coordinate that is no number"),
        ({"segmentation": [[1, 1, 5, 5, 9, 9]]}, "ship has an outline without area: (1, 1, 5, 5, 9, 9)"),
        ({"bbox": [1, 1, 5, 5], "segmentation": [[40, 40, 50, 40, 50, 47]]},
         "bbox and segmentation do not mean the same place"),
        ({"bbox": [2, 2, 32, 12]}, "ship is annotated a second time"),
    ]  # fmt: skip
    content = coco.instances()
    content["annotations"] = content["annotations"][-2:]
    for number, (annotation, _) in enumerate(bad):
        content["annotations"].append({"id": number, "image_id": 3, "category_id": 3, **annotation})
    rewrite(root, content)
    samples, reasons = read("coco", root, **OPTIONS)
    assert list(reasons) == [f"ships.png#{number}" for number in range(len(bad))]
    for got, (_, reason) in zip(reasons.values(), bad, strict=True):
        assert got.startswith(reason)
    ships = samples["coco/ships.png"]
    assert [r.box for r in ships.regions] == [box for _, box in OBJECTS["ships.png"]]
    # Two had no class at all: whatever they are, nothing can be counted there, nor be absent.
    assert not ships.complete | ships.absent
    assert samples["coco/sea.jpg"].absent == {*CLASSES, "plane"}


def test_crowds_and_parts(root: Path, read: Read) -> None:
    content = coco.instances()
    runs = [2 * 48 + 3, 10, 38, 10, 48 * 64 - 2 * 48 - 61]  # two columns, 2 and 3, from row 3 to 12
    content["annotations"] += [
        {"id": 4, "image_id": 1, "category_id": 7, "segmentation": {"counts": runs, "size": [48, 64]}},
        {"id": 1, "image_id": 1, "category_id": 3, "iscrowd": 1, "bbox": [1, 1, 30, 30],
         "segmentation": {"counts": [5, 9], "size": [48, 64]}},
        {"id": 2, "image_id": 2, "category_id": 9, "segmentation": [[1, 1, 9, 1, 9, 9], [20, 20, 30, 20, 30, 30]]},
        {"id": 3, "image_id": 2, "category_id": 3, "bbox": [50, 30, 20, 10]},
    ]  # fmt: skip
    rewrite(root, content)
    samples, reasons = read("coco", root, **OPTIONS)
    assert not reasons
    tank = samples["coco/tank.png"]
    assert (tank.count("storage tank"), tank.count("ship"), tank.count("plane")) == (2, None, 0)
    assert tank.regions[1].box == (2, 3, 4, 13)
    plane, ship = samples["coco/sea.jpg"].regions
    assert (plane.box, plane.polygon) == ((1, 1, 30, 30), None)
    assert ship.box == (50, 30, 64, 40)  # reaches out of the picture: clipped
    samples, _ = read("coco", root, exhaustive=False, **OPTIONS)
    assert not any(sample.complete or sample.absent for sample in samples.values())


HOSTILE_NAMES: list[tuple[object, str]] = [
    ("../instances.json", "leads out of the image folder"), ("/etc/passwd", "leads out of the image folder"),
    ("a/../../b.png", "leads out of the image folder"), ("..\\..\\b.png", "leads out of the image folder"),
    ("C:\\b.png", "leads out of the image folder"), (".", "leads out of the image folder"),
    ("https://x.org/a.png", "is no file name"), ("a\0.png", "is no file name"),
    ("\ud800.png", "is missing"), ("x" * 5000, "File name too long|is missing"), (" ", "there is no file name"),
    ("nowhere.png", "picture nowhere.png is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "reason"), HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_hostile_file_names(root: Path, read: Read, name: object, reason: str) -> None:
    content = coco.instances()
    content["images"][1]["file_name"] = name
    rewrite(root, content)
    samples, reasons = read("coco", root, **OPTIONS)
    assert len(samples) == 3
    assert len(reasons) == 1
    with pytest.raises(UserError, match=reason):
        raise UserError(*reasons.values())


def test_links_absolute_names_and_other_suffixes(root: Path, read: Read) -> None:
    (root / "secret.png").write_bytes((root / "coco/images/tank.png").read_bytes())
    (root / "coco/images/tank.png").unlink()
    (root / "coco/images/tank.png").symlink_to(root / "secret.png")
    samples, reasons = read("coco", root, **OPTIONS)
    assert reasons == {
        "tank.png": "picture tank.png is a link out of the image folder (follow_links=True allows it)"
    }
    samples, reasons = read("coco", root, follow_links=True, **OPTIONS)
    assert not reasons
    content = coco.instances()
    content["images"][0]["file_name"] = str(root / "coco/images/port.png")
    content["images"][2]["file_name"] = "sea.tif"  # is sea.jpg
    content["images"][3]["file_name"] = "ships"
    rewrite(root, content)
    samples, reasons = read("coco", root, follow_links=True, **OPTIONS)
    assert not reasons
    assert len(samples) == 4
    (root / "coco/images/ships.jpg").write_bytes(b"")
    assert read("coco", root, follow_links=True, **OPTIONS)[1] == {
        "ships": "picture ships may be ships.jpg or ships.png"
    }


def test_damaged_pictures_and_sizes_that_are_not_the_files(root: Path, read: Read) -> None:
    content = coco.instances()
    for image, size in zip(
        content["images"], [(10**12, -5), ("64", 48), (float("nan"), 48), (0, 0)], strict=True
    ):
        image["width"], image["height"] = size
    rewrite(root, content)
    samples, reasons = read("coco", root, **OPTIONS)
    assert reasons == {
        "port.png": "is annotated as 1000000000000×-5 px, the picture has 64×48",
        "sea.jpg": "is annotated as nan×48 px, the picture has 64×48",
    }
    rewrite(root, coco.instances())
    (root / "coco/images/port.png").write_bytes(b"nonsense")
    (root / "coco/images/sea.jpg").write_bytes(b"")
    samples, reasons = read("coco", root, **OPTIONS)
    assert reasons == {"port.png": "picture port.png is damaged", "sea.jpg": "picture sea.jpg is damaged"}
    assert len(samples) == 2


def test_entries_that_belong_nowhere(root: Path, read: Read) -> None:
    content = coco.instances()
    content["images"] += ["a string", {"file_name": "x.png"}, {"id": 88}, dict(content["images"][0])]
    content["images"].append({"id": 1, "file_name": "other.png"})
    content["annotations"] += [
        "a string",
        {"id": 5, "image_id": 1234, "category_id": 3},
        {"id": 6, "bbox": []},
    ]
    rewrite(root, content)
    samples, reasons = read("coco", root, **OPTIONS)
    assert len(samples) == 4
    assert reasons == {
        "images[4]": "is no picture's entry", "picture 'x.png'": "has no id", "picture 88": "has no file_name",
        "port.png": "is listed a second time", "other.png": "has the id 1, as tank.png has",
        "annotations[6]": "is no annotation", "#5": "there is no picture 1234 among the images",
        "#6": "has no image_id",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is damaged or no JSON"), ('{"images": [', "is damaged or no JSON"), ("[]", 'it has no list "images"'),
        ('{"images": {}}', 'it has no list "images"'), ("[" * 100_000, "is damaged or no JSON"),
        ('{"images": [], "annotations": 5}', '"annotations" is no list'), ("9" * 5000, "is damaged or no JSON"),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_file_that_is_no_coco_json_is_one_line(root: Path, text: str, message: str) -> None:
    (root / "coco/instances.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        list(get_source("coco", root, **OPTIONS).samples("train"))
    assert "\n" not in str(caught.value)
    assert "instances.json" in str(caught.value)


def test_mistakes_in_the_options_are_one_line(root: Path) -> None:
    def fails(message: str, **options: Any) -> None:
        with pytest.raises(UserError, match=message):
            list(get_source("coco", root, **options).samples("train"))

    fails("coco: say annotations=", images="coco/images")
    fails("coco: there is no .*nothing.json; give its path", annotations="nothing.json")
    fails(
        "coco: there is no option 'anotations'; it takes annotations, images, split", anotations=1, **OPTIONS
    )
    fails(r"coco: shares=\[1, 2\] are not three that make 1", shares=[1, 2], **OPTIONS)
    fails(r"coco: there is no split 'all'; choose one of train, val, test", split="all", **OPTIONS)
    fails(r"coco: group='\(' is no regular expression", group="(", **OPTIONS)
    fails("coco: 5 is no path", annotations=5)


def test_splits_by_hash_are_stable_and_can_be_chosen(root: Path, read: Read) -> None:
    content = coco.instances()
    content["annotations"] = []
    content["images"] = [{"id": i, "file_name": f"P{i // 4}_{i}.png"} for i in range(400)]
    rewrite(root, content)
    # No picture is there, so that all are quarantined, each in its split.
    counts = {}
    for split in ("train", "val", "test"):
        source = get_source("coco", root, **OPTIONS)
        assert not list(source.samples(split))
        counts[split] = len(source.quarantined)
    assert sum(counts.values()) == 400
    assert counts["train"] > 290
    assert min(counts.values()) > 15
    scenes: dict[str, set[str]] = {}
    source = get_source("coco", root, group=r"^P\d+", shares=[0.5, 0.0, 0.5], **OPTIONS)
    for split in ("train", "val", "test"):
        list(source.samples(split))
        scenes[split] = {q.entry.split("_")[0] for q in source.quarantined}
    assert not scenes["train"] & scenes["test"]
    assert not scenes["val"]
    assert len(scenes["train"] | scenes["test"]) == 100
    everything = get_source("coco", root, split="test", **OPTIONS)
    list(everything.samples("test"))
    assert len(everything.quarantined) == 400


@pytest.mark.data
def test_real_tanks_survive_the_way_through_coco(real: Path, read: Read, tmp_path: Path) -> None:
    source = get_source("airbus-oil-storage", real)
    if not source.state().found:
        pytest.skip(f"no {', '.join(source.state().missing)} in {real}")
    scenes = source.scenes("val")  # type: ignore[attr-defined]
    content: Json = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "Storage tank"}]}
    for place, scene in enumerate(scenes):
        content["images"].append(
            {"id": place, "file_name": Path(scene.image).name, "width": scene.width, "height": scene.height}
        )
        for region in scene.regions:
            x1, y1, x2, y2 = region.box
            content["annotations"].append(
                {
                    "id": len(content["annotations"]),
                    "image_id": place,
                    "category_id": 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                }
            )
    (tmp_path / "tanks.json").write_text(json.dumps(content), encoding="utf-8")
    folder = Path(scenes[0].image).parent
    samples, reasons = read("coco", tmp_path, annotations="tanks.json", images=folder, split="train")
    assert not reasons
    assert [sample.regions for sample in samples.values()] == [scene.regions for scene in scenes]
