"""The tokens are Stanford's, letter for letter, with and without Java."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from skymoe.evaluation.metrics import ptb

pytest.importorskip("pycocoevalcap", reason="the reference tokeniser is inside pycocoevalcap")
needs_java = pytest.mark.skipif(ptb.java() is None, reason="the reference tokeniser needs a Java runtime")
DATA = Path(os.environ.get("SKYMOE_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))


def by_jar(lines: list[str]) -> list[str]:
    runtime, jar = ptb.java(), ptb.tokeniser_jar()
    assert runtime is not None
    assert jar is not None
    return ptb.tokenise_by_jar(lines, runtime, jar)


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("There are Two planes .", "there are two planes"),
        ("there's a t-junction, and it doesn't end.", "there 's a t-junction and it does n't end"),
        ("we cannot see it (here)", "we can not see it -lrb- here -rrb-"),
        ("marked with 'eagles' ;", "marked with eagles"),
        ("a house on main st.", "a house on main st."),
        ("", ""),
    ],
)
def test_tokens_by_hand(caption: str, tokens: str) -> None:
    assert ptb.tokenise_by_rules(caption) == tokens
    assert ptb.tokenise([caption]).captions == [tokens]


def test_line_breaks_of_any_kind_stay_within_their_caption() -> None:
    breaks = ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\n", "\r\n"]
    captions = [f"a{mark}b (é)" for mark in breaks] + ["", "the last one"]
    found = ptb.tokenise(captions).captions
    assert [line.split()[:2] for line in found[: len(breaks)]] == [["a", "b"]] * len(breaks)
    assert found[-2:] == ["", "the last one"]


def test_without_java_unusual_captions_are_counted() -> None:
    found = ptb.tokenise(["a plane .", "é (1)", "é (1)"], runtime=None)
    assert found.approximate == 2
    assert found.captions[0] == "a plane"


def test_half_a_surrogate_is_a_question_mark_that_no_file_stumbles_over() -> None:
    assert ptb.one_line("a \ud83d plane") == "a ? plane"


@needs_java
def test_no_caption_changes_the_tokens_of_another() -> None:
    # The jar looks ahead: what follows a "no." decides whether it keeps its full stop.
    lines = ["a (b) fig.", "4 planes", "there are no.", "5 trees (c)", "1 1/2 houses", "the end"]
    alone = [by_jar([line])[0] for line in lines[:2]]
    assert by_jar(lines)[:2] == alone == ["a -lrb- b -rrb- fig", "4 planes"]
    assert by_jar(lines)[4] == "1\u00a01/2 houses"  # one token, as pycocoevalcap has it


@needs_java
def test_ordinary_captions_get_the_jars_tokens() -> None:
    # Every construct that `is_ordinary` lets through, thrown together at random.
    rng = random.Random(0)
    words = [
        "plane",
        "trees",
        "Storage-Tanks",
        "t_junction",
        "two-way-road",
        "cannot",
        "gonna",
        "st",
        "rd",
        "mar",
        "no",
    ]
    words += ["fig", "etc", "x", "L", "4", "1999", "river's", "it's", "e-mail"]
    joints = [" ", " ", " ", ", ", ",", ". ", "; ", "! ", "? ", " , ", " ,", " . ", " ; ", "."]
    lines = {
        "".join(rng.choice(words) + rng.choice(joints) for _ in range(rng.randint(1, 7)))
        for _ in range(30_000)
    }
    ordinary = sorted(line for line in lines if ptb.is_ordinary(line))
    assert len(ordinary) > 3000
    assert [ptb.tokenise_by_rules(line) for line in ordinary] == by_jar(ordinary)


@needs_java
@pytest.mark.data
def test_every_caption_of_ucm_and_rsicd_gets_the_jars_tokens_without_the_jar() -> None:
    files = [DATA / "UCM-Captions" / "dataset.json", DATA / "RSICD" / "dataset_rsicd.json"]
    if not all(file.is_file() for file in files):
        pytest.skip(f"no UCM-Captions and RSICD under {DATA}")
    images = [image for file in files for image in json.loads(file.read_text(encoding="utf-8"))["images"]]
    lines = sorted(
        {ptb.one_line(sentence["raw"]) for image in images for sentence in image["sentences"]} - {""}
    )
    assert len(lines) > 20_000
    assert [ptb.tokenise_by_rules(line) for line in lines] == by_jar(lines)
