"""Each source reads its official format, says what is missing, and finds the known numbers in the real
data."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from skymoe.data.sources import (
    SOURCES,
    SPLITS,
    Quarantined,
    Source,
    check_counts,
    data_root,
    get_source,
    source_class,
)
from skymoe.errors import UserError
from skymoe.pictures import open_sample
from skymoe.sample import Question, Sample
from skymoe.tasks import TASKS

COMMITTED = (
    "ucm-captions", "rsicd", "aid", "rsivqa-ucm", "rsivqa-ucm-themes", "rsivqa-rsicd-themes", "airbus-oil-storage",
)  # fmt: skip
NO_PICTURE = "no picture: it is not in RSICD/RSICD_images, and not in AID"


def samples_of(name: str, split: str, root: Path) -> list[Sample]:
    return list(get_source(name, root).samples(split))


def test_committed_miniatures_are_what_the_script_writes(miniatures: Path, tmp_path: Path) -> None:
    script = miniatures.parent / "miniatures.py"
    spec = importlib.util.spec_from_file_location("miniatures", script)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write(tmp_path)
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {path.relative_to(miniatures) for path in miniatures.rglob("*") if path.is_file()}
    for path in written:
        if path.suffix != ".jpg":  # Pillow versions may compress differently
            assert (tmp_path / path).read_bytes() == (miniatures / path).read_bytes(), path


def test_every_source_gives_the_same_valid_samples_twice(miniatures: Path) -> None:
    for name in COMMITTED:
        source = get_source(name, miniatures)
        assert source.state().found
        assert source.licence.lower() in source.card.lower() or "licence" in source.card.lower()
        ids: list[str] = []
        for split in SPLITS:
            found = list(source.samples(split))
            assert found == list(source.samples(split)) == samples_of(name, split, miniatures)
            for sample in found:
                assert (sample.source, sample.split) == (name, split)
                assert open_sample(sample).size == (sample.width, sample.height)
                assert Sample.from_dict(json.loads(json.dumps(sample.to_dict()))) == sample
                assert not sample.absent & sample.complete
                assert any(task.queries(sample) for task in TASKS.values())
            ids += [sample.id for sample in found]
        assert len(ids) == len(set(ids)) > 0


def test_every_card_tells_what_whoever_uses_the_data_has_to_know() -> None:
    wanted = (
        r"\d,?\d{2,}",
        r"[Ss]plit",
        r"[Ll]icence",
        r"Cite:|Citation:",
        r"Known faults:|Quirks:",
        r"Get it: \S",
    )
    for name in SOURCES:
        card = " ".join(source_class(name).about().split())
        assert [told for told in wanted if not re.search(told, card)] == [], name


def test_ucm_captions(miniatures: Path) -> None:
    train = {sample.id: sample for sample in samples_of("ucm-captions", "train", miniatures)}
    assert list(train) == ["ucm/1", "ucm/101", "ucm/1901", "ucm/2001"]
    planes = train["ucm/101"]
    assert planes.captions == (
        "There are two airplanes at the airport .",
        "Two planes stopped beside a car .",
    )
    assert (planes.label, len(planes.labels)) == ("airplane", 21)
    assert planes.questions == (
        Question("What is the theme of this picture?", "airport", "theme"),
        Question("Does this picture contain an airplane?", "yes", "presence"),
        Question("Does this picture contain trees?", "no", "presence"),
        Question("How many in the picture?", "zero", "count"),
        Question("What is the location of the cars in this picture?", "upper left", "location"),
    )
    assert {"storage tank", "ship", "boat"} <= planes.absent
    assert not {"airplane", "plane", "car"} & planes.absent
    assert not {"ship", "boat", "storage tank"} & train["ucm/1901"].absent  # its caption names a boat
    assert [s.label for s in samples_of("ucm-captions", "test", miniatures)] == [
        "agricultural", "airplane", "tenniscourt",
    ]  # fmt: skip
    assert samples_of("ucm-captions", "test", miniatures)[0].width == 62


def test_ucm_captions_do_without_rsivqa(damaged: Path) -> None:
    (damaged / "RSIVQA/ucm_res.txt").unlink()
    assert all(sample.questions == () for sample in samples_of("ucm-captions", "train", damaged))


def test_rsicd_is_the_centre_of_aid_and_quarantines_what_has_no_picture(miniatures: Path) -> None:
    source = get_source("rsicd", miniatures)
    train = list(source.samples("train"))
    assert [sample.id for sample in train] == ["rsicd/airport_1", "rsicd/desert_1", "rsicd/storagetanks_1"]
    assert source.quarantined == [Quarantined("00006.jpg", NO_PICTURE)]
    airport, desert, tanks = train
    assert airport.window == (9.5, 9.5, 140.5, 140.5)
    assert (airport.width, airport.height, airport.label) == (131, 131, "Airport")
    assert "airplane" not in desert.absent  # a caption names one
    assert {"storage tank", "tennis court"} <= desert.absent
    assert "storage tank" not in tanks.absent


def test_rsicd_prefers_its_own_pictures(damaged: Path) -> None:
    own = damaged / "RSICD/RSICD_images"
    own.mkdir()
    for name in ("airport_1.jpg", "00006.jpg"):
        (own / name).write_bytes((damaged / "UCM-Captions/imgs/1.jpg").read_bytes())
    source = get_source("rsicd", damaged)
    train = list(source.samples("train"))
    assert [(s.window, s.width, s.label) for s in train if "RSICD_images" in s.image] == [
        (None, 64, "Airport"), (None, 64, None),
    ]  # fmt: skip
    assert source.quarantined == []


def test_aid_follows_the_split_of_rsicd(miniatures: Path) -> None:
    by_split = {split: [s.id for s in samples_of("aid", split, miniatures)] for split in SPLITS}
    assert by_split == {
        "train": ["aid/airport_1", "aid/desert_1", "aid/desert_10", "aid/storagetanks_1"],
        "val": ["aid/desert_2"],
        "test": ["aid/airport_2"],
    }
    assert "swimming pool" not in samples_of("aid", "test", miniatures)[0].absent  # RSICD's caption names it


def test_rsivqa_questions_follow_the_split_of_their_picture(miniatures: Path) -> None:
    human = samples_of("rsivqa-ucm", "test", miniatures)
    assert [(s.id, [q.kind for q in s.questions]) for s in human] == [("rsivqa-ucm/103", ["theme", "count"])]
    assert human[0].questions[1].answer == "twenty-one"
    themes = samples_of("rsivqa-ucm-themes", "val", miniatures)
    assert [(s.id, s.questions[0].answer) for s in themes] == [("rsivqa-ucm-themes/102", "theme of 102")]
    rsicd = get_source("rsivqa-rsicd-themes", miniatures)
    assert [s.id for s in rsicd.samples("test")] == ["rsivqa-rsicd-themes/airport_2"]
    assert rsicd.quarantined == [Quarantined("00007.jpg", NO_PICTURE)]


def test_missing_files_are_named_with_the_remedy(tmp_path: Path) -> None:
    for name in COMMITTED:
        source = get_source(name, tmp_path)
        assert source.state().verdict == "absent"
        assert len(source.state().missing) == len(source.needs)
        with pytest.raises(UserError, match=rf"{name}: no .* in .*; put it there or set SKYMOE_DATA"):
            source.samples("train")


def test_unknown_names_and_splits_are_one_line(miniatures: Path) -> None:
    with pytest.raises(
        UserError, match=r"no data source is called 'ucm_captions'; did you mean ucm-captions\?"
    ):
        get_source("ucm_captions")
    with pytest.raises(UserError, match="there is no split 'dev'; choose one of train, val, test"):
        get_source("aid", miniatures).samples("dev")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("ucm-captions", "UCM-Captions/dataset.json"), ("rsicd", "RSICD/dataset_rsicd.json"),
        ("aid", "RSICD/dataset_rsicd.json"), ("rsivqa-ucm", "RSIVQA/ucm_res.txt"),
        ("airbus-oil-storage", "Airbus-OilStorage/annotations.csv"),
    ],
)  # fmt: skip
def test_truncated_and_foreign_files_are_one_line(name: str, file: str, damaged: Path) -> None:
    content = (damaged / file).read_bytes()
    half = content[: len(content) // 2].rsplit(b"?", 1)[0].rsplit(b'"(', 1)[0]
    for broken in (half, b"", b"\xff\xfe\x00nonsense\x80", b'{"images": [{"name": "x"}]}', b"[]"):
        (damaged / file).write_bytes(broken)
        source = get_source(name, damaged)
        if name == "rsivqa-ucm" and broken == half:  # the lines before the end are whole
            assert list(source.samples("train"))
            assert [q.reason for q in source.quarantined] == ["it is not `image:question?answer`"]
            continue
        with pytest.raises(UserError, match="get the data set again") as caught:
            list(source.samples("train"))
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "file", "left"),
    [("ucm-captions", "UCM-Captions/dataset.json", 3), ("rsicd", "RSICD/dataset_rsicd.json", 2)],
)
def test_single_damaged_entries_are_quarantined(name: str, file: str, left: int, damaged: Path) -> None:
    content = json.loads((damaged / file).read_text())
    first = content["images"][0]
    assert first["split"] == "train"
    for damage, reason in (
        ({"sentences": [{}]}, "it lacks 'raw'"),
        ({"sentences": [{"raw": " "}]}, "its captions are empty"),
        ({"filename": "../1.tif"}, "'../1.tif' is no name of a picture"),
    ):
        content["images"][0] = first | damage
        (damaged / file).write_text(json.dumps(content))
        source = get_source(name, damaged)
        assert len(list(source.samples("train"))) == left
        assert reason in [q.reason for q in source.quarantined]
        list(source.samples("test"))
        assert reason not in [q.reason for q in source.quarantined]


def test_missing_and_damaged_pictures_are_quarantined_and_the_rest_goes_on(damaged: Path) -> None:
    cases = {
        "ucm-captions": ("UCM-Captions/imgs/101.jpg", "101"),
        "rsivqa-ucm": ("UCM-Captions/imgs/101.jpg", "101"),
        "rsicd": ("AID/Airport/airport_1.jpg", "airport_1.jpg"),
        "aid": ("AID/Desert/desert_1.jpg", "desert_1"),
    }
    before = {name: samples_of(name, "train", damaged) for name in cases}
    for file, _ in cases.values():
        (damaged / file).write_bytes(b"not a picture")
    for name, (file, entry) in cases.items():
        source = get_source(name, damaged)
        left = list(source.samples("train"))
        broken = tuple(file for file, _ in cases.values())
        assert left == [sample for sample in before[name] if not sample.image.endswith(broken)]
        assert Quarantined(entry, f"picture {Path(file).name} is damaged") in source.quarantined
        assert len(left) < len(before[name])
    for name in ("ucm-captions", "rsicd"):
        (damaged / cases[name][0]).unlink()
        source = get_source(name, damaged)
        list(source.samples("train"))
        list(source.samples("train"))  # the list is emptied when reading begins anew
        reasons = [q.reason for q in source.quarantined if q.entry == cases[name][1]]
        assert len(reasons) == 1
        assert reasons[0].endswith("is missing")


def test_archives_as_they_unpack(damaged: Path) -> None:
    """UCM_captions, RSICD with its folder of annotations, RSIVQA with a folder for each part."""
    names = ("ucm-captions", "rsicd", "aid", "rsivqa-ucm", "rsivqa-ucm-themes", "rsivqa-rsicd-themes")
    before = {name: [s.id for s in samples_of(name, "train", damaged)] for name in names}
    asked = [s.questions for s in samples_of("ucm-captions", "train", damaged)]
    (damaged / "UCM-Captions").rename(damaged / "UCM_captions")
    for part, file in (("UCM", "ucm_res"), ("UCM", "ucm_vqa"), ("AID", "rsicd_vqa")):
        folder = damaged / "RSIVQA/RSIVQA" / part
        folder.mkdir(parents=True, exist_ok=True)
        (damaged / f"RSIVQA/{file}.txt").rename(folder / f"{file}.txt")
    annotations = damaged / "RSICD/annotations_rsicd"
    annotations.mkdir()
    (damaged / "RSICD/dataset_rsicd.json").rename(annotations / "dataset_rsicd.json")
    assert {name: [s.id for s in samples_of(name, "train", damaged)] for name in names} == before
    assert [s.questions for s in samples_of("ucm-captions", "train", damaged)] == asked


def test_the_official_json_of_rsicd_names_no_aid_picture_but_its_names_do(damaged: Path) -> None:
    path = damaged / "RSICD/dataset_rsicd.json"
    content = json.loads(path.read_text())
    before = {name: samples_of(name, "train", damaged) for name in ("rsicd", "aid")}
    for entry in content["images"]:
        del entry["image"]
    path.write_text(json.dumps(content))
    assert {name: samples_of(name, "train", damaged) for name in before} == before


def test_full_size_aid_gives_rsicd_its_centre(damaged: Path) -> None:
    picture = damaged / "AID/Airport/airport_1.jpg"
    Image.new("RGB", (600, 600)).save(picture)
    airport = samples_of("rsicd", "train", damaged)[0]
    assert (airport.window, airport.width, airport.height) == ((38.0, 38.0, 562.0, 562.0), 524, 524)
    assert open_sample(airport).size == (524, 524)
    assert samples_of("aid", "train", damaged)[0].width == 600


def test_aid_pictures_that_rsicd_knows_and_are_not_there_are_named(damaged: Path) -> None:
    (damaged / "AID/Desert/desert_1.jpg").unlink()
    source = get_source("aid", damaged)
    assert "aid/desert_1" not in [sample.id for sample in source.samples("train")]
    assert source.quarantined == [Quarantined("desert_1", "picture desert_1.jpg is missing")]
    assert list(source.samples("test"))
    assert source.quarantined == []


def test_ucm_pictures_may_be_the_official_tif(damaged: Path) -> None:
    jpg = damaged / "UCM-Captions/imgs/101.jpg"
    with Image.open(jpg) as picture:
        picture.save(jpg.with_suffix(".tif"))
    jpg.unlink()
    images = {s.id: s.image for s in samples_of("ucm-captions", "train", damaged)}
    assert images["ucm/101"].endswith("101.tif")


def test_counts_are_checked(miniatures: Path) -> None:
    with pytest.raises(UserError, match="aid: 4 samples in train instead of 7,946; get the data set again"):
        check_counts(get_source("aid", miniatures))


def test_the_data_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, miniatures: Path) -> None:
    monkeypatch.setenv("SKYMOE_DATA", str(miniatures))
    assert data_root() == miniatures
    assert get_source("aid").state().found
    monkeypatch.delenv("SKYMOE_DATA")
    assert data_root() == Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.data
def test_real_data_has_the_known_numbers_and_no_picture_in_two_splits(real: Path) -> None:
    files: dict[str, set[str]] = {split: set() for split in SPLITS}
    for name in COMMITTED:
        source: Source = get_source(name, real)
        if not source.state().found:
            pytest.skip(f"{name}: no {', '.join(source.state().missing)} in {real}")
        for split in SPLITS:
            images = [sample.image for sample in source.samples(split)]
            assert len(images) + len(source.quarantined) == source.counts[split], (name, split)
            assert all("not in AID" in q.reason for q in source.quarantined)
            files[split].update(images)
    assert len(files["train"]) == 7946 + 1680 + 31
    assert not files["train"] & files["test"]
    assert not files["train"] & files["val"]
    assert not files["val"] & files["test"]


@pytest.mark.data
def test_check_counts_passes_on_real_data(real: Path) -> None:
    source = get_source("rsivqa-ucm", real)
    if not source.state().found:
        pytest.skip(f"no {', '.join(source.state().missing)} in {real}")
    assert check_counts(source) == {"train": 459, "val": 49, "test": 51}
    assert sum(len(sample.questions) for split in SPLITS for sample in source.samples(split)) == 2795
