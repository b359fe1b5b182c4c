"""The grounding datasets in their official formats: expressions in are expressions out or set aside."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from data.sources.miniatures import avvg, dior_rsvg, rrsis_d, rsvg, vrsbench
from skymoe.boxes import oriented_box
from skymoe.data.sources import Source, get_source
from skymoe.data.sources.refgeo import records
from skymoe.errors import UserError
from skymoe.pictures import open_sample
from skymoe.sample import Expression, Question, Sample
from skymoe.tasks import get_task

MINIATURES: dict[str, ModuleType] = {
    "dior-rsvg": dior_rsvg, "rsvg": rsvg, "avvg": avvg, "rrsis-d": rrsis_d, "vrsbench": vrsbench,
}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("expressions")
    for module in MINIATURES.values():
        module.write(root)
    return root


@pytest.fixture
def damaged(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "data"))


def read(name: str, root: Path, split: str = "train", **options: Any) -> tuple[dict[str, Sample], Source]:
    source = get_source(name, root, **options)
    return {sample.id: sample for sample in source.samples(split)}, source


def phrases(sample: Sample) -> list[str]:
    return [expression.phrase for expression in sample.expressions]


@pytest.mark.parametrize("name", MINIATURES)
def test_what_comes_in_goes_out_or_is_set_aside(name: str, written: Path) -> None:
    for split, number in MINIATURES[name].EXPRESSIONS.items():
        samples, source = read(name, written, split)
        assert source.state().found
        assert "Licence:" in source.card
        assert "Citation:" in source.card
        assert samples == read(name, written, split)[0]
        out = sum(len(sample.expressions) for sample in samples.values())
        assert out + len(source.quarantined) == number
        for sample in samples.values():
            assert (sample.source, sample.split) == (name, split)
            assert open_sample(sample).size == (sample.width, sample.height)
            assert len(get_task("ground").queries(sample)) == len(sample.expressions)
            assert sample.complete == frozenset()
            for expression in sample.expressions:
                x1, y1, x2, y2 = expression.box
                assert 0 <= x1 < x2 <= sample.width
                assert 0 <= y1 < y2 <= sample.height


@pytest.mark.parametrize("name", MINIATURES)
def test_a_missing_or_damaged_picture_sets_its_expressions_aside(name: str, damaged: Path) -> None:
    before, source = read(name, damaged)
    known = {one.entry for one in source.quarantined}
    path = damaged / MINIATURES[name].PICTURE
    lost = next(sample for sample in before.values() if sample.image == str(path))
    for state in ("damaged", "missing"):
        path.write_bytes(b"\xff\xd8\xff") if state == "damaged" else path.unlink()
        after, source = read(name, damaged)
        assert after.keys() == before.keys() - {lost.id}
        new = [one for one in source.quarantined if one.reason == f"picture {path.name} is {state}"]
        assert len(new) >= len(lost.expressions)
        out = sum(len(sample.expressions) for sample in after.values())
        assert out + len(source.quarantined) == MINIATURES[name].EXPRESSIONS["train"]
    assert known is not None


@pytest.mark.parametrize("name", MINIATURES)
def test_missing_folders_are_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^{name}: no .* in .*; put it there or set SKYMOE_DATA$"):
        get_source(name, tmp_path / "nowhere").samples("train")


@pytest.mark.parametrize("name", ["dior-rsvg", "rsvg", "rrsis-d"])
@pytest.mark.parametrize("kind", ["truncated", "corrupt", "empty"])
def test_a_damaged_annotation_file_is_one_line(name: str, kind: str, damaged: Path) -> None:
    path = damaged / MINIATURES[name].ANNOTATION
    content = path.read_bytes()
    path.write_bytes({"truncated": content[: len(content) // 2], "corrupt": b"\xff\x80", "empty": b""}[kind])
    with pytest.raises(UserError, match="get the data set again") as caught:
        list(get_source(name, damaged).samples("train"))
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


def test_dior_rsvg_is_read_in_the_order_of_names(written: Path, damaged: Path) -> None:
    train, source = read("dior-rsvg", written)
    assert {key: phrases(sample) for key, sample in train.items()} == {
        "dior-rsvg/00002": ["A gray toll station"], "dior-rsvg/00010": ["The dam on the left"],
    }  # fmt: skip
    assert [r.name for r in train["dior-rsvg/00002"].regions] == ["expressway toll station"]
    assert [one.entry for one in source.quarantined] == ["00002#1", "00002#2"]
    assert "the phrase names 2 objects of the picture: 'A small vehicle'" in source.quarantined[0].reason
    assert phrases(read("dior-rsvg", written, "val")[0]["dior-rsvg/00005"]) == ["The tank at the top"]
    assert phrases(read("dior-rsvg", written, "test")[0]["dior-rsvg/00010"]) == ["The dam on the right"]
    every, source = read("dior-rsvg", written, ambiguous=True)
    assert len(every["dior-rsvg/00002"].expressions) == 3
    assert source.quarantined == []


def test_an_expression_that_is_there_twice_is_kept_once(damaged: Path) -> None:
    path = damaged / avvg.ANNOTATION
    record = {"image_id": "d1_0001.jpg", "question": "the car", "bbox": [1, 2, 30, 40]}
    path.write_text("\n".join(json.dumps(one) for one in (record, record | {"question": "The car."})))
    samples, source = read("avvg", damaged)
    assert [phrases(sample) for sample in samples.values()] == [["the car"]]
    assert [one.reason for one in source.quarantined] == [
        "the same phrase for the same object is there a second time"
    ]
    assert len(read("avvg", damaged, ambiguous="yes")[0]["avvg/d1_0001"].expressions) == 2


def test_dior_rsvg_says_when_the_numbers_do_not_fit_before_it_gives_a_sample(damaged: Path) -> None:
    (damaged / "DIOR_RSVG/Annotations/00010.xml").unlink()
    with pytest.raises(UserError, match="4 objects in Annotations, but the split files number 6"):
        next(get_source("dior-rsvg", damaged).samples("val"))
    (damaged / "DIOR_RSVG/test.txt").write_text("4\n")
    with pytest.raises(UserError, match="don't number every object once"):
        next(get_source("dior-rsvg", damaged).samples("val"))
    (damaged / "DIOR_RSVG/test.txt").write_text("five\n")
    with pytest.raises(UserError, match=r"test\.txt: a line is not the number of an object"):
        next(get_source("dior-rsvg", damaged).samples("val"))


def test_rsvg_in_both_layouts(written: Path, tmp_path: Path) -> None:
    first = read("rsvg", written)[0]
    assert list(first) == ["rsvg/10", "rsvg/2"]
    assert phrases(first["rsvg/10"]) == ["A baseball field", "the playground left of it"]
    assert first["rsvg/2"].expressions == (Expression("the bridge over the river", (5, 20, 75, 30)),)
    rsvg.write_refgeo(tmp_path)
    second = read("rsvg", tmp_path)[0]
    assert {key: sample.expressions for key, sample in second.items()} == {
        key: sample.expressions for key, sample in first.items()
    }
    shutil.rmtree(tmp_path / "refGeo/images/RSVG")
    (tmp_path / "rsvg/images").mkdir(parents=True)
    with pytest.raises(UserError, match="rsvg: no folder rsvg in"):
        list(get_source("rsvg", tmp_path).samples("train"))


def test_avvg_keeps_what_names_one_vehicle(written: Path) -> None:
    train, source = read("avvg", written)
    one, other = train.values()
    assert phrases(one) == ["the red car near the crossing", "the white truck."]
    assert one.expressions[0].polygon == (20, 10, 30, 20, 20, 30, 10, 20)
    assert one.expressions[1].polygon is None
    assert phrases(other) == [
        "the bus at the bottom"
    ]  # broken over two lines, of a picture with another suffix
    assert other.image.endswith("d1_0002.jpg")
    assert [q.entry for q in source.quarantined] == ["avvg_train#2", "avvg_train#3"]
    assert source.splits == ("train", "test")


@pytest.mark.parametrize("name", ["../../elsewhere.jpg", "/etc/elsewhere.jpg"])
def test_a_picture_outside_of_the_folder_is_not_read(name: str, damaged: Path) -> None:
    record = {"image_id": name, "question": "the car", "bbox": [1, 2, 30, 40]}
    (damaged / avvg.ANNOTATION).write_text(json.dumps(record))
    samples, source = read("avvg", damaged)
    assert samples == {}
    assert source.quarantined[0].reason == "the picture's name leads out of the data set's folder"


def test_damaged_refgeo_records_are_set_aside_by_line(damaged: Path) -> None:
    path = damaged / avvg.ANNOTATION
    path.write_text(
        '{"image_id": "d1_0001.jpg", "question": "the car", "bbox": [1, 2, 30\n'
        '{"image_id": "d1_0001.jpg", "question": "the van", "bbox": [1, 2, 30, 40]}\n'
        '[1]\n{"image_id": "d1_0001.jpg", "question": "no box"}\n'
        '{"image_id": "d1_0001.jpg", "question": " ", "bbox": [1, 2, 30, 40]}\n{"image_id": "d1_0001.j'
    )
    samples, source = read("avvg", damaged)
    assert [phrases(sample) for sample in samples.values()] == [["the van"]]
    assert [one.reason for one in source.quarantined] == [
        "line 1 of avvg_train.jsonl is no JSON", "a record of avvg_train.jsonl is no object",
        "the record has no image_id, question and bbox or poly", "line 6 of avvg_train.jsonl is no JSON",
        "there is no phrase",
    ]  # fmt: skip
    for broken in (b"", b"\xff\x80", b"nonsense", b"[1]"):
        path.write_bytes(broken)
        with pytest.raises(UserError, match=r"avvg: .*get the data set again"):
            list(records(path, "avvg"))


def test_rrsis_d_takes_the_mask_where_it_fits_the_drawn_box(written: Path) -> None:
    train, _ = read("rrsis-d", written)
    assert list(train) == ["rrsis-d/00002", "rrsis-d/00007"]
    (tank,) = train["rrsis-d/00007"].expressions
    assert (tank.phrase, tank.box) == ("The storage tank on the top", (11, 10, 30, 29))
    assert tank.polygon is None or oriented_box(tank.polygon).area == pytest.approx(361)
    (plane,) = train["rrsis-d/00002"].expressions  # its mask covers the whole picture
    assert plane == Expression("The airplane", (40, 10, 60, 40))
    assert [r.name for r in train["rrsis-d/00002"].regions] == ["airplane"]


def test_rrsis_d_damaged_masks_and_references(damaged: Path) -> None:
    path = damaged / rrsis_d.ANNOTATION
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"][0]["counts"] = "~"
    del content["annotations"][1]
    path.write_text(json.dumps(content))
    samples, source = read("rrsis-d", damaged)
    assert samples == {}
    assert [(one.entry, one.reason) for one in source.quarantined] == [
        ("ref 7#7", "the mask has no size and counts"), ("ref 2#2", "instances.json has no such object"),
    ]  # fmt: skip


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("owned").touch, ())


@pytest.mark.parametrize("content", [b"", b"\x80\x04}", pickle.dumps({"a": 1}), pickle.dumps([Evil()])])
def test_rrsis_d_runs_nothing_that_a_pickle_says(content: bytes, damaged: Path) -> None:
    (damaged / "RRSIS-D/rrsisd/refs(unc).p").write_bytes(content)
    with pytest.raises(UserError, match=r"rrsis-d: .*refs\(unc\)\.p.*get the data set again"):
        list(get_source("rrsis-d", damaged).samples("train"))
    assert not Path("owned").exists()


def test_vrsbench_has_captions_questions_and_expressions(written: Path) -> None:
    train, source = read("vrsbench", written)
    assert list(train) == ["vrsbench/00012", "vrsbench/P0003_0002"]
    planes = train["vrsbench/P0003_0002"]
    assert planes.captions == ("The image, sourced from GoogleEarth, shows two planes.",)
    assert planes.questions == (
        Question("How many planes are there?", "2", "count"),
        Question("What color is the left plane?", "White", "color"),
    )
    (plane,) = planes.expressions
    assert plane.phrase == "The large plane on the left."
    assert plane.box == pytest.approx((51.2, 51.2, 153.6, 153.6))
    assert plane.polygon == pytest.approx((102.4, 51.2, 153.6, 102.4, 102.4, 153.6, 51.2, 102.4))
    assert [r.name for r in planes.regions] == ["airplane"]
    assert train["vrsbench/00012"].expressions == ()
    assert [(one.entry, one.reason[:35]) for one in source.quarantined] == [
        ("P0003_0002#2", "large vehicle has a box without are")
    ]
    test, _ = read("vrsbench", written, "test")
    assert test["vrsbench/P1000_0001"].questions[0].kind == "presence"
    assert test["vrsbench/P1000_0001"].regions[0].name == "tennis court"


def test_a_vrsbench_object_without_box_leaves_the_rest_of_its_picture(damaged: Path) -> None:
    path = damaged / vrsbench.ANNOTATION
    path.write_text(path.read_text().replace("obj_coord", "x").replace("obj_corner", "y"))
    samples, source = read("vrsbench", damaged)
    assert len(samples["vrsbench/P0003_0002"].questions) == 2
    assert [(one.entry, one.reason) for one in source.quarantined] == [
        ("P0003_0002#0", "airplane has 0 coordinates"), ("P0003_0002#2", "large vehicle has 0 coordinates"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["truncated", "corrupt", "list", "no question"])
def test_a_damaged_vrsbench_file_is_set_aside(kind: str, damaged: Path) -> None:
    path = damaged / vrsbench.ANNOTATION
    content = path.read_text()
    broken = {
        "truncated": content[:200],
        "corrupt": "\x00",
        "list": "[]",
        "no question": content.replace('"question"', '"x"'),
    }
    path.write_text(broken[kind])
    samples, source = read("vrsbench", damaged)
    assert list(samples) == ["vrsbench/00012"]
    (one,) = source.quarantined
    assert one.entry == "P0003_0002"
    assert one.reason.startswith("annotation P0003_0002.json is damaged")
