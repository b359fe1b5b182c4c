"""Sydney-Captions, RSITMD, NWPU-Captions and RSICap: found, missing, truncated, corrupt, and other layouts."""

from __future__ import annotations

import json
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from data.sources.miniatures import nwpu_captions, sydney_captions
from skymoe.data.sources import Quarantined, Source, get_source, verify
from skymoe.errors import UserError
from skymoe.pictures import open_sample
from skymoe.sample import Question, Sample
from skymoe.tasks import get_task

ANNOTATIONS = {
    "sydney-captions": "Sydney_captions/dataset.json",
    "rsitmd": "RSITMD/dataset_RSITMD.json",
    "nwpu-captions": "NWPU-Captions/dataset_nwpu.json",
    "rsicap": "RSGPT/dataset/RSICap/captions.json",
}
PICTURE = {
    "sydney-captions": ("Sydney_captions/imgs/2.tif", "2.tif"),
    "rsitmd": ("RSITMD/images/boat_8640.tif", "boat_8640.tif"),
    "nwpu-captions": ("NWPU-Captions/NWPU_images/airplane/airplane_001.jpg", "airplane_001.jpg"),
    "rsicap": ("RSGPT/dataset/RSICap/images/P1077_0002.png", "P1077_0002.png"),
}


def made(name: str, root: Path) -> Source:
    import_module(f"data.sources.miniatures.{name.replace('-', '_')}").write(root)
    return get_source(name, root)


def ids(source: Source, split: str) -> list[str]:
    return [sample.id for sample in source.samples(split)]


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_found(name: str, tmp_path: Path) -> None:
    source = made(name, tmp_path)
    assert source.state().verdict == "found"
    seen: list[str] = []
    for split in source.splits:
        found = list(source.samples(split))
        assert found == list(source.samples(split))
        for sample in found:
            assert (sample.source, sample.split, sample.licence) == (name, split, source.licence)
            assert open_sample(sample).size == (sample.width, sample.height)
            assert len(get_task("caption").queries(sample)[0].references) == len(sample.captions)
            assert Sample.from_dict(json.loads(json.dumps(sample.to_dict()))) == sample
            assert all(caption == " ".join(caption.split()) for caption in sample.captions)
        seen += [sample.id for sample in found]
    assert len(seen) == len(set(seen)) > 0
    assert not source.quarantined
    assert source.licence in source.card


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_missing(name: str, tmp_path: Path) -> None:
    assert get_source(name, tmp_path).state().verdict == "absent"
    source = made(name, tmp_path)
    (tmp_path / ANNOTATIONS[name]).unlink()
    assert source.state().verdict == "incomplete"
    assert Path(ANNOTATIONS[name]).name in source.state().remedy
    with pytest.raises(UserError, match=rf"{name}: no .*{Path(ANNOTATIONS[name]).name} in .*; put it there"):
        source.samples("train")


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_truncated_and_foreign_annotations_are_one_line(name: str, tmp_path: Path) -> None:
    source = made(name, tmp_path)
    path = tmp_path / ANNOTATIONS[name]
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], b"", b"\xff\xfe\x00nonsense\x80", b'{"images": [{"name": "x"}]}',
                   b'{"annotations": [3]}', b"[3]", b"3"):  # fmt: skip
        path.write_bytes(broken)
        with pytest.raises(UserError, match=r"get the data set again") as caught:
            ids(source, "train")
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)
        assert verify(source).verdict == "unreadable"


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_a_single_damaged_entry_is_quarantined_and_no_name_leads_out_of_the_folder(
    name: str, tmp_path: Path
) -> None:
    source = made(name, tmp_path)
    everything = ids(source, "train")
    path, entry = tmp_path / ANNOTATIONS[name], PICTURE[name][1]
    content = path.read_text()
    path.write_text(content.replace(f'"{entry}"', f'"../{entry}"'))
    assert len(ids(source, "train")) == len(everything) - 1
    assert source.quarantined == [Quarantined(f"../{entry}", f"'../{entry}' is no name of a picture")]
    ids(source, "test")
    assert not source.quarantined
    path.write_text(content.replace(f'"{entry}"', "17"))
    assert len(ids(source, "train")) == len(everything) - 1
    assert source.quarantined == [Quarantined("17", "17 is no name of a picture")]


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_missing_and_corrupt_pictures_are_quarantined(name: str, tmp_path: Path) -> None:
    source = made(name, tmp_path)
    file, entry = PICTURE[name]
    everything = ids(source, "train")
    (tmp_path / file).write_bytes(b"not a picture")
    assert len(ids(source, "train")) == len(everything) - 1
    assert source.quarantined == [Quarantined(entry, f"picture {entry} is damaged")]
    (tmp_path / file).unlink()
    assert len(ids(source, "train")) == len(everything) - 1
    assert source.quarantined == [Quarantined(entry, f"picture {entry} is missing")]
    result = verify(source)
    assert not result.ok
    assert f"train: {entry}: picture {entry} is missing" in result.problems()


def test_sydney_numbers_and_other_names_of_its_folders(tmp_path: Path) -> None:
    source = made("sydney-captions", tmp_path)
    assert {split: len(ids(source, split)) for split in source.splits} == {"train": 3, "val": 1, "test": 2}
    first = next(source.samples("train"))
    assert first.captions[0] == "Residential area 1 with houses arranged neatly , sentence 0 ."
    assert (first.label, len(first.captions), first.width) == (None, 5, 50)
    copied = tmp_path / "copied"
    sydney_captions.write(copied, "sydney_captions", "images")
    assert ids(get_source("sydney-captions", copied), "test") == ids(source, "test")
    assert ids(get_source("sydney-captions", copied / "sydney_captions"), "test") == ids(source, "test")


def test_rsitmd_has_no_validation_split_and_names_tell_the_class(tmp_path: Path) -> None:
    source = made("rsitmd", tmp_path)
    with pytest.raises(UserError, match="there is no split 'val'; choose one of train, test"):
        source.samples("val")
    assert [s.label for s in source.samples("train")] == ["airport", "boat", "parkinglot"]
    tested = list(source.samples("test"))
    assert [s.label for s in tested] == ["airport", None]
    assert (tested[0].labels, tested[1].labels) == (("airport", "boat", "parkinglot"), ())


def test_blank_sentences_are_no_captions(tmp_path: Path) -> None:
    source = made("rsitmd", tmp_path)
    path = tmp_path / ANNOTATIONS["rsitmd"]
    content = json.loads(path.read_text())
    content["images"][0]["sentences"][2]["raw"] = " "
    for sentence in content["images"][1]["sentences"]:
        sentence["raw"] = ""
    path.write_text(json.dumps(content))
    assert [len(s.captions) for s in source.samples("train")] == [4, 5]
    assert source.quarantined == [Quarantined("boat_8640.tif", "its captions are empty")]


def test_nwpu_captions_take_missing_pictures_from_resisc45(tmp_path: Path) -> None:
    source = made("nwpu-captions", tmp_path)
    first = next(source.samples("train"))
    assert (first.label, first.labels) == ("airplane", ("airplane", "baseball_diamond"))
    assert first.captions[0] == "Caption 0 of airplane_001.jpg ."
    (tmp_path / PICTURE["nwpu-captions"][0]).unlink()
    spare = tmp_path / "NWPU-RESISC45/airplane/airplane_001.jpg"
    spare.parent.mkdir(parents=True)
    shutil.copy(tmp_path / "NWPU-Captions/NWPU_images/airplane/airplane_002.jpg", spare)
    assert next(source.samples("train")).image == str(spare)
    assert not source.quarantined


def test_nwpu_captions_do_with_resisc45_alone(tmp_path: Path) -> None:
    nwpu_captions.write(tmp_path, "NWPU-RESISC45")
    source = get_source("nwpu-captions", tmp_path)
    assert source.state().found
    assert len(ids(source, "train")) == 2


def test_rsieval_is_the_test_split_of_rsicap(tmp_path: Path) -> None:
    source = made("rsicap", tmp_path)
    assert ids(source, "train") == ["rsicap/P0378_0001", "rsicap/P1077_0002"]
    assert next(source.samples("train")).captions == ("This is an aerial image 0 with high resolution.",)
    (sample,) = source.samples("test")
    assert sample.id == "rsieval/P1384_0054"
    assert sample.questions == (
        Question("Does this image contains trees?", "yes", "presence"),
        Question("How many planes are there in this image?", "there are seven planes in the image", "count"),
        Question("What is the theme of the image?", "parking lot", "theme"),
        Question("Where are the planes in the image?", "the upper part of the image", "location"),
        Question("What is the color of the car in the image?", "white", "color"),
    )
