"""The five asking commands: answers, JSON, and mistakes that spoil nothing but themselves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

import skymoe
from cli.conftest import Run
from skymoe.tasks.labels import TRAINED_LABELS

COMMANDS = {
    "ask": ["how many ships are there?"],
    "caption": [],
    "classify": ["--labels", "a port,Forest,golf_course"],
    "count": ["storage tank"],
    "ground": ["the largest ship"],
}


def call(command: str, images: list[Path]) -> list[object]:
    extra = COMMANDS[command]
    return [command, *images, *extra]


@pytest.mark.parametrize("command", COMMANDS)
def test_one_picture_is_one_line(run: Run, folder: Path, command: str) -> None:
    outcome = run(*call(command, [folder / "a.png"]))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_many_pictures_are_a_line_each_and_the_same_answers(run: Run, folder: Path, command: str) -> None:
    images = [folder / name for name in ("a.png", "b.jpg", "c.png")]
    lines = run(*call(command, images)).out.splitlines()
    alone = [run(*call(command, [image])).out.strip() for image in images]
    assert lines == [f"{image}\t{answer}" for image, answer in zip(images, alone, strict=True)]


@pytest.mark.parametrize("command", COMMANDS)
def test_json_holds_every_picture_and_every_mistake(run: Run, folder: Path, command: str) -> None:
    names = ["a.png", "text.png", "c.png", "none.png", "cut.png", "empty.png"]
    outcome = run(*call(command, [folder / name for name in names]), "--json")
    records = json.loads(outcome.out)
    assert outcome.code == 2
    assert [Path(record["image"]).name for record in records] == names
    assert {record["task"] for record in records} <= ({"count", "vqa"} if command == "ask" else {command})
    for record, name in zip(records, names, strict=True):
        if name in ("a.png", "c.png"):
            assert record["error"] is None
            assert 0 <= record["confidence"] <= 1
            assert isinstance(record["text"], str)
        else:
            assert str(folder / name) in record["error"]
            assert "text" not in record
    assert outcome.err.splitlines() == [f"skymoe: {record['error']}" for record in records if record["error"]]


def test_answers_are_those_of_python(run: Run, folder: Path, checkpoint: Path) -> None:
    model = skymoe.load(checkpoint)
    image = folder / "b.jpg"
    assert run("count", image, "ship").out == f"{model.count(image, 'ship').number}\n"
    (box,) = model.ground(image, "the ship").boxes
    assert run("ground", image, "the ship").out == " ".join(f"{edge:.0f}" for edge in box.xyxy) + "\n"
    assert run("classify", image).out.strip() in TRAINED_LABELS
    assert run("classify", image, "-l", "Port A, golf_course").out.strip() in {"Port A", "golf_course"}
    record = json.loads(run("caption", image, "--json", "--num-beams", 1).out)[0]
    assert record["text"] == model.caption(image, num_beams=1).text


def test_free_decoding_may_say_anything(run: Run, folder: Path) -> None:
    (free,) = json.loads(run("count", folder / "a.png", "ship", "--json", "--free").out)
    (typed,) = json.loads(run("count", folder / "a.png", "ship", "--json").out)
    assert typed["parsed"]
    assert typed["number"] == int(typed["text"])
    assert not free["parsed"]


def test_batches_keep_the_order(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skymoe.cli.answering.TOGETHER", 2)
    monkeypatch.setattr("skymoe.cli.answering.PIXELS_TOGETHER", 5000)
    names = ["a.png", "b.jpg", "none.png", "c.png", "a.png"]
    records = json.loads(run("ground", *[folder / name for name in names], "the ship", "--json").out)
    assert [Path(record["image"]).name for record in records] == names
    assert [bool(record["error"]) for record in records] == [False, False, True, False, False]
    assert records[0]["boxes"] == records[4]["boxes"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ask", "a.png", ""], "no question given"),
        (["ask", "a.png", "?!"], "is empty"),
        (["ask", "a.png", "b.jpg"], "is a file, not a question"),
        (["count", "a.png", " "], "no kind of object given"),
        (["ground", "a.png", "b.jpg"], "is a file, not a phrase"),
        (["classify", "a.png", "--labels", "port"], "at least two different"),
        (["classify", "a.png", "--labels", ","], "at least two different"),
        (["caption", "a.png", "--model", "nanoo"], "unknown model 'nanoo'"),
        (["caption", "a.png", "--model", "."], "no config.json"),
        (["caption", "a.png", "--device", "toaster"], "device 'toaster'"),
        (["ground", "a.png", "the ship", "--draw", "out.xyz"], "unknown kind of picture"),
        (
            ["ground", "a.png", "b.jpg", "the ship", "--draw", "c.png"],
            "is a file; for many pictures give a folder",
        ),
        (["demo", "--out", "no/such/place.html"], "cannot be written"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_are_one_line_and_exit_code_2(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(folder)
    chosen = [] if "--model" in arguments else ["--model", checkpoint]
    outcome = run(*arguments, *chosen, tiny=False)
    assert outcome.code == 2
    assert outcome.out == ""
    assert told in outcome.err
    assert outcome.err.count("\n") == 1


def test_directories_are_named_and_the_rest_is_answered(run: Run, folder: Path) -> None:
    outcome = run("count", folder, folder / "a.png", "ship")
    assert outcome.code == 2
    assert outcome.err == f"skymoe: {folder}: is a directory; give an image file\n"
    assert outcome.out.strip().isdigit()


def test_control_characters_of_names_reach_no_terminal(run: Run, folder: Path) -> None:
    outcome = run("count", folder / "evil\x1b[31m\nname.png", "ship")
    assert "\x1b" not in outcome.err
    assert outcome.err.count("\n") == 1


def test_boxes_are_drawn_on_the_picture_in_its_own_size(run: Run, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "out.png"
    assert run("ground", folder / "a.png", "the ship", "--draw", target).code == 0
    drawn, before = Image.open(target), Image.open(folder / "a.png")
    assert drawn.size == before.size
    assert drawn.convert("RGB").tobytes() != before.convert("RGB").tobytes()
    assert [path.name for path in target.parent.iterdir()] == ["out.png"]


def test_many_drawings_go_into_a_folder(run: Run, folder: Path, tmp_path: Path) -> None:
    images = [folder / "a.png", folder / "b.jpg", folder / "a.png"]
    assert run("ground", *images, "the ship", "--draw", tmp_path / "drawn").code == 0
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["a-2.png", "a.png", "b.png"]


def test_a_drawing_that_cannot_be_written_spoils_only_itself(run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    outcome = run("ground", folder / "a.png", "the ship", "--draw", tmp_path / "file" / "out.png")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "cannot be written" in outcome.err
    assert outcome.out.count(" ") == 3


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize("command", ["ask", "caption"])
def test_a_terminal_sees_the_same_words_as_they_come(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    piped = run(*call(command, [folder / "a.png"]))
    on_a_terminal(monkeypatch)
    outcome = run(*call(command, [folder / "a.png"]))
    assert outcome.code == 0
    assert outcome.out.split() == piped.out.split()
    missing = run(*call(command, [folder / "none.png"]))
    assert (missing.code, missing.out) == (2, "")


def test_a_terminal_sees_a_table(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch)
    out = run("count", folder / "a.png", folder / "b.jpg", "ship").out
    assert out.splitlines()[0].split() == ["picture", "answer", "confidence"]
    assert all(line.rstrip().endswith("%") for line in out.splitlines()[1:])
