"""Conversations of LLaVA and GeoChat: what each turn tells, and what can be wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data.sources.files.conftest import Read
from data.sources.miniatures import conversations
from data.sources.miniatures.conversations import record
from skymoe.boxes import Box, format_box
from skymoe.data.sources import get_source
from skymoe.data.sources.files.turns import Scene, Told, read_turn
from skymoe.data.sources.objects import DamagedError
from skymoe.errors import UserError
from skymoe.sample import Expression, Question
from skymoe.tasks import TASKS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    conversations.write(tmp_path)
    return tmp_path


def talk(root: Path, read: Read, *records: Any, **options: Any) -> tuple[dict[str, Any], dict[str, str]]:
    (root / "talk/mine.json").write_text(json.dumps(records), encoding="utf-8")
    return read("conversations", root, annotations="talk/mine.json", images="talk/images", **options)


def test_llava(root: Path, read: Read) -> None:
    samples, reasons = read("conversations", root, annotations="talk/llava.json", images="talk/images")
    assert not reasons
    port, sea, tank = (samples[f"conversations/00000{n}"] for n in (1, 2, 3))
    assert port.captions == ("Two white tanks above a red ship.",)
    assert port.questions == (Question("How many storage tanks are there?", "2", "count"),)
    assert sea.questions == (Question("Is it a rural or an urban area?", "rural", "other"),)
    (tank_place,) = tank.expressions
    assert tank_place.phrase == "the white tank"
    assert tank_place.box == pytest.approx((30.08, 20.16, 49.92, 39.84))
    assert read("conversations", root, annotations="talk/messages.jsonl", images="talk/images") == (
        samples,
        {},
    )


def test_geochat(root: Path, read: Read) -> None:
    samples, reasons = read(
        "conversations", root, annotations="talk/geochat.json", images="talk/images", called="gc"
    )
    assert not reasons
    straight, turned = samples["gc/ships"].expressions
    assert (straight.phrase, straight.polygon) == ("the ship at the top left", None)
    assert straight.box == pytest.approx((1.92, 1.92, 33.92, 13.92))
    assert turned.phrase == "the turned ship"
    assert turned.polygon
    assert all(task.queries(samples["gc/ships"]) for task in (TASKS["ground"],))
    assert samples["gc/ships~2"].questions[0].kind == "identify"  # ids repeat in GeoChat's file
    grounded = samples["gc/port"].questions[0]
    assert grounded.kind == "grounding"
    assert grounded.answer.startswith("<p>Two tanks</p> {<6><8><25><33>} {<31><8><50><33>} by")
    sea = samples["gc/sea"]
    assert (sea.label, sea.labels) == ("open water", ("open water", "harbor", "storage tanks"))
    assert sea.questions == (Question("Is there a ship?", "No", "presence"),)


@pytest.mark.parametrize(
    ("question", "answer", "notation", "told"),
    [
        ("Locate the ship in the image.", "(100,200),(500,800)", "auto", Expression("the ship", (20, 30, 100, 120))),
        ("<ref>the ship</ref>", "<|box_start|>(100,200),(500,800)<|box_end|>", "auto",
         Expression("the ship", (20, 30, 100, 120))),
        ("Where's the ship", "[20, 30, 100, 120].", "pixel", Expression("the ship", (20, 30, 100, 120))),
        ("[refer] the ship", "It is at [111, 222, 555, 888]", "vhm", None),
        ("What colour is {<10><20><50><80>}?", "red", "auto",
         Question("What colour is {<10><20><50><80>}?", "red", "other")),
        ("What is at [0.1, 0.2, 0.5, 0.8]?", "a ship", "auto",
         Question("What is at {<10><20><50><80>}?", "a ship", "other")),
        ("Where are ships?", "{<1><2><3><4>} {<5><6><7><8>}", "auto",
         Question("Where are ships?", "{<1><2><3><4>} {<5><6><7><8>}", "region")),
        ("Give a caption for this picture", "ships in a port", "auto", "ships in a port"),
        ("Describe the ship.", "long and red all over", "auto",
         Question("Describe the ship.", "long and red all over", "other")),
        ("Which scene is it? Options: port, sea, or desert.", "Sea", "auto", Scene("sea", ("port", "sea", "desert"))),
        ("Which scene is it? Options: port, sea", "wood", "auto",
         Question("Which scene is it? Options: port, sea", "wood", "other")),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_a_turn_tells(question: str, answer: str, notation: str, told: Told | None) -> None:
    got = read_turn(question, answer, 200, 150, notation)
    if told is None:
        assert isinstance(got, Expression)
        assert got.box == pytest.approx((200 * 111 / 999, 150 * 222 / 999, 200 * 555 / 999, 150 * 888 / 999))
    elif isinstance(told, Expression):
        assert isinstance(got, Expression)
        assert (got.phrase, got.box) == (told.phrase, pytest.approx(told.box))
    else:
        assert got == told


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("", "yes", "has no question"), (" ", "yes", "has no question"), ("Any ships?", " \n", "has no answer"),
        ("What colour are they?", "red", r"leans on an earlier turn \('they'\)"),
        ("Any ships?", "<image>", "the answer holds <image>"), ("x" * 9000, "y", "has 9,000 characters"),
        ("[refer] the ship", "top left", r"the answer to \[refer\] holds no box"),
        ("[refer] the ship", "{<10><20><10><80>}", "is a box without area"),
        ("[refer] the ship", "{<90><90><150><150>}", "is no box of four numbers from 0 to 100"),
        ("[refer] the ship", "{<-9><90><15><15>}", "is no box of four numbers"),
        ("[refer] the ship", "{<nan><90><15><15>}", "is no box of four numbers"),
        ("[refer] the ship", "{<1><2><3>}", "is no box of four numbers"),
        ("[refer] the ship", "{<1e999><2><3><4>}", "is no box of four numbers"),
        ("Where is the ship?", "[10, 20, 30, 40]", r"may be pixels or thousandths: say notation= pixel, qwen or vhm"),
        ("Where is the ship?", "[1200, 20],[1300, 40]", "is no box of four numbers from 0 to 1000"),
    ],
    ids=range(15),
)  # fmt: skip
def test_turns_that_cannot_be_used(question: str, answer: str, reason: str) -> None:
    with pytest.raises(DamagedError, match=reason):
        read_turn(question, answer, 200, 150, first=False)


def test_boxes_survive_the_way_through_every_notation() -> None:
    box = Box(20, 30, 100, 120)
    for notation in ("geochat", "vrsbench", "vhm", "unit", "qwen", "pixel"):
        answer = format_box(box, 200, 150, notation)
        for known in (notation, "auto") if notation not in ("vhm", "pixel") else (notation,):
            got = read_turn("[refer] Where is <p>the ship</p>?", answer, 200, 150, known)
            assert isinstance(got, Expression)
            assert got.box == pytest.approx(box.xyxy, abs=1), notation


def test_entries_that_cannot_be_used(root: Path, read: Read) -> None:
    two = "How many ships?", "2"
    bad: list[tuple[Any, str]] = [
        ({"id": 1, "conversations": []}, "has no picture"), ({"id": 2, "image": "sea.jpg"}, "has no conversations"),
        ({"id": 3, "image": ["a.png", "b.png"]}, "has 2 pictures; a sample has one"),
        (record("4", "../../secret.png", *two), "picture '../../secret.png' leads out of the image folder"),
        (record("5", "sea.jpg", "<image>\n<image>\nAny ships?", "no"), "has 2 <image> marks for one picture"),
        (record("6", "sea.jpg", "Any ships?", "no", "<image> And now?", "no"), "<image> does not stand in the first"),
        (record("7", "sea.jpg", "Any ships?"), "none of its turns can be used"),
        ({"id": 8, "image": "sea.jpg", "conversations": [{"from": "gpt", "value": "hi"}]}, "part 0 is said by ass"),
        ({"id": 9, "image": "sea.jpg", "conversations": [{"from": "elf", "value": "hi"}]}, "part 0 is said by nobody"),
        ({"id": 10, "image": "sea.jpg", "conversations": [{"from": "human", "value": 5}]}, "has a part without text"),
        ({"id": 11, "image": "sea.jpg", "conversations": ["hi"]}, "has a part that is no object"),
        ({"id": 12, "image": {"a": 1}, "conversations": []}, "has no picture"),
        (record("13", "gone.png", *two), "picture gone.png is missing"),
    ]  # fmt: skip
    samples, reasons = talk(
        root, read, *(entry for entry, _ in bad), "text", None, record("14", "sea.jpg", *two)
    )
    assert list(samples) == ["conversations/14"]
    assert reasons.pop("entry 13") == reasons.pop("entry 14") == "is no conversation"
    assert reasons.pop("7#0") == "has no answer"
    for number, (_, reason) in enumerate(bad, 1):
        assert reasons.pop(str(number)).startswith(reason)
    assert not reasons


def test_one_turn_in_quarantine_leaves_the_others(root: Path, read: Read) -> None:
    ask = "[refer] Where is <p>the ship</p>?"
    samples, reasons = talk(
        root, read,
        record("a", "ships.png", ask, "{<3><4><53><29>}", ask, "{<16><42><94><92>}", "Are they red?", "yes",
               "Any tanks?", "no"),
    )  # fmt: skip
    assert reasons == {
        "a#1": "'the ship' was said of another place before",
        "a#2": "leans on an earlier turn ('they')",
    }
    assert len(samples["conversations/a"].expressions) == 1
    assert samples["conversations/a"].questions == (Question("Any tanks?", "no", "presence"),)


def test_damaged_files_and_options_are_one_line(root: Path, read: Read) -> None:
    path = root / "talk/messages.jsonl"
    path.write_text(
        path.read_text(encoding="utf-8").replace('{"id": "000002"', '{"id" "000002"'), encoding="utf-8"
    )
    samples, reasons = read("conversations", root, annotations="talk/messages.jsonl", images="talk/images")
    assert len(samples) == 2
    assert list(reasons) == ["line 2"]
    assert "is damaged or no JSON" in reasons["line 2"]
    for text, message in (("[", "is damaged or no JSON"), ("{}", "is no list of entries; docs/your-data.md")):
        (root / "talk/llava.json").write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=message):
            list(get_source("conversations", root, annotations="talk/llava.json").samples("train"))
    with pytest.raises(UserError, match="notation='gechat' is not known; choose one of geochat"):
        get_source("conversations", root, annotations="talk/llava.json", notation="gechat")


@pytest.mark.data
def test_real_questions_survive_the_way_through_a_conversation(
    real: Path, read: Read, tmp_path: Path
) -> None:
    source = get_source("rsivqa-ucm", real)
    if not source.state().found:
        pytest.skip(f"no {', '.join(source.state().missing)} in {real}")
    wanted = {Path(sample.image).name: sample for sample in source.samples("test")}
    (tmp_path / "all.json").write_text(
        json.dumps(
            [
                record(
                    name,
                    name,
                    *(text for q in s.questions for text in (f"{q.text} {conversations.BRIEF}", q.answer)),
                )
                for name, s in wanted.items()
            ]
        ),
        encoding="utf-8",
    )
    folder = Path(next(iter(wanted.values())).image).parent
    samples, reasons = read("conversations", tmp_path, annotations="all.json", images=folder, split="test")
    assert not reasons
    for name, sample in wanted.items():
        told = samples[f"conversations/{name}"].questions
        assert [(q.text, q.answer) for q in told] == [(q.text, q.answer) for q in sample.questions]
