"""`skymoe data list|verify`: states, what to do, numbers against the official ones, exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cli.conftest import Run
from skymoe.data.sources import FORMATS, SOURCES

MINIATURES = Path(__file__).parents[1] / "fixtures" / "data"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MINIATURES, tmp_path / "data"))


def listed(run: Run, root: Path) -> dict[str, dict[str, object]]:
    outcome = run("data", "list", "--root", root, "--json", tiny=False)
    assert (outcome.code, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    assert [row["name"] for row in document["formats"]] == list(FORMATS)
    assert [row["name"] for row in document["sources"]] == list(SOURCES)
    return {row["name"]: row for row in document["sources"]}


def test_list_tells_found_incomplete_and_absent_and_what_to_do(run: Run, root: Path) -> None:
    (root / "UCM-Captions/dataset.json").unlink()
    rows = listed(run, root)
    assert (rows["aid"]["state"], rows["aid"]["remedy"]) == ("found", "")
    assert rows["ucm-captions"]["state"] == "incomplete"
    assert "UCM-Captions/dataset.json" in str(rows["ucm-captions"]["remedy"])
    assert f"missing in {root}" in str(rows["ucm-captions"]["remedy"])
    assert rows["dota"]["state"] == "absent"
    assert "captain-whu.github.io" in str(rows["dota"]["remedy"])


def test_the_table_has_every_name(run: Run, root: Path) -> None:
    outcome = run("data", "list", "--root", root, tiny=False)
    assert outcome.code == 0
    for name in (*SOURCES, *FORMATS):
        assert name in outcome.out


def test_show_prints_the_card_and_whether_it_is_here(run: Run, root: Path) -> None:
    outcome = run("data", "show", "dior-rsvg", "coco", "--root", root, tiny=False)
    assert (outcome.code, outcome.err) == (0, "")
    for said in (
        "26,991/3,829/7,500",
        "order of names",
        "Citation: ",
        "Get it: DIOR-RSVG (github",
        "Here: absent",
    ):
        assert said in outcome.out
    assert "COCO json" in outcome.out
    assert run("data", "show", "dior-rsgv", "--root", root, tiny=False).code == 2


def test_list_of_an_empty_folder(run: Run, tmp_path: Path) -> None:
    states = {str(row["state"]) for row in listed(run, tmp_path).values()}
    assert "absent" in states
    assert not states & {"found", "incomplete"}
    outcome = run("data", "verify", "--root", tmp_path, tiny=False)
    assert (outcome.code, outcome.out) == (0, "No data set is there; `skymoe data list` says what to do.\n")


def test_verify_names_what_differs_and_exits_with_1(run: Run, root: Path) -> None:
    (root / "UCM-Captions/imgs/101.jpg").write_bytes(b"no picture")
    outcome = run("data", "verify", "ucm-captions", "--root", root, tiny=False)
    assert outcome.code == 1
    assert "train: 3 of 1,680 samples" in outcome.out
    assert "train: 101: picture 101.jpg is damaged" in outcome.out
    absent = run("data", "verify", "resisc45", "--root", root, tiny=False)
    assert absent.code == 1
    assert "absent" in absent.out


def test_verify_json_and_pixels_find_a_truncated_picture(run: Run, root: Path) -> None:
    path = root / "UCM-Captions/imgs/101.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    arguments = ("data", "verify", "ucm-captions", "--split", "train", "--root", root, "--json")
    (sound,) = json.loads(run(*arguments, tiny=False).out)
    assert sound["splits"]["train"]["quarantined"] == []
    (deep,) = json.loads(run(*arguments, "--pixels", tiny=False).out)
    assert [q["entry"] for q in deep["splits"]["train"]["quarantined"]] == ["ucm/101"]
    assert deep["splits"]["train"]["official"]["samples"] == 1680
    assert not deep["ok"]


def test_unpack_writes_where_data_sets_are_read(run: Run, tmp_path: Path) -> None:
    from data.sources.test_mirrors import row, write_mirror  # skips this test where there is no pyarrow

    mirror = write_mirror(tmp_path / "mirror", {"train": [row("1.jpg", 9, "a field ."), row("2.jpg", 9, "")]})
    outcome = run("data", "unpack", "sydney-captions", mirror, "--root", tmp_path / "data", tiny=False)
    assert outcome.code == 0
    assert "sydney-captions: train 1 in" in outcome.out
    assert "row 1: it lacks a sound caption" in outcome.err
    assert listed(run, tmp_path / "data")["sydney-captions"]["state"] == "found"


def test_a_broken_annotation_file_is_told_not_raised(run: Run, root: Path) -> None:
    (root / "UCM-Captions/dataset.json").write_text("{")
    outcome = run("data", "verify", "ucm-captions", "--root", root, tiny=False)
    assert outcome.code == 1
    assert "unreadable" in outcome.out
    assert "get the data set again" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resisc54"], "did you mean resisc45?"),
        (["aid", "--split", "dev"], "there is no split 'dev'"),
        (["aid", "-o", "annotations=a"], "there is no option 'annotations'"),
        (["coco"], "coco: say annotations=…"),
        (["-o", "annotations=a"], "--option goes with a NAME"),
        (["coco", "-o", "annotations"], "must be name=value"),
    ],
)
def test_mistakes_are_one_line_and_code_2(run: Run, root: Path, arguments: list[str], said: str) -> None:
    outcome = run("data", "verify", *arguments, "--root", root, tiny=False)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
