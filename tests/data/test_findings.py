"""What the rules make of real captions: themes, objects and relations that a reader of them would agree with."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import pytest

from skymoe.data.findings import EXPERTS, Findings, derive, prompt_words, told_words
from skymoe.data.findings.captions import FORMS, Relation, read_caption
from skymoe.data.findings.words import MEANS, PLACES, RELATIONS, THINGS
from skymoe.data.sources import get_source
from skymoe.sample import Question, Region, Sample


def sample(*captions: str, **more: object) -> Sample:
    plain = {
        "id": "a",
        "image": "a.jpg",
        "source": "s",
        "split": "train",
        "licence": "l",
        "width": 9,
        "height": 9,
    }
    return Sample(**plain, captions=captions, **more)  # type: ignore[arg-type]


def told(caption: str) -> list[str]:
    return [f"{r.first} {r.how} {r.second}" for r in read_caption(caption)[1]]


# Captions of RSICD's and UCM-Captions' training splits, as they stand there.
CAPTIONS = {
    "many green trees are around an irregular dark green pond .": ["tree around pond"],
    "many buildings and some green trees are in a dense residential area .": [
        "building in residential area", "tree in residential area",
    ],
    "a road with cars running is near a viaduct .": ["road with car", "road near viaduct"],
    "a playground with a football field in it is near several buildings and some green trees .": [
        "playground with football field", "playground near building", "playground near tree",
    ],
    "some planes are near a large building in an airport .": ["airplane near building", "building in airport"],
    "many green trees are in two sides of a curved green river .": ["tree along river"],
    "a playground is surrounded by some green trees and several buildings .": [
        "tree around playground", "building around playground",
    ],
    "Lots of boats docked neatly at the harbor and the water is deep blue .": ["boat in harbor"],
    "many white buildings and green trees with roads are in an industrial area .": [
        "tree with road", "building in industrial area", "tree in industrial area",
    ],
    "A river with dense forest on one bank and houses on the other side .": ["river with forest", "forest on bank"],
    "a few white and dark cars park in the parking .": ["car in parking lot"],
    "some white storage tanks in different sizes are near several buildings .": ["storage tank near building"],
    "a square white building is next to a school building .": [],  # like beside like says nothing
    "It is a straight runway with some mark lines on it .": ["runway with mark line"],
    "it is a piece of green meadow .": [],
}  # fmt: skip


@pytest.mark.parametrize(("caption", "relations"), CAPTIONS.items())
def test_relations_of_real_captions(caption: str, relations: list[str]) -> None:
    assert told(caption) == relations


def test_objects_are_named_by_how_many_captions_name_them_and_in_the_number_of_most() -> None:
    found = derive(
        sample(
            "a road is near many green trees .",
            "many trees are near a building .",
            "trees and more trees .",
            "the buildings are near a tree beside the road .",
            label="SparseResidential",
        )
    )
    assert found.theme == ("sparse residential",)
    assert found.objects == ("trees", "road", "building")  # a tie goes to the one named first
    assert found.relations == (
        "road near trees",
        "trees near building",
        "building near trees",
        "trees beside road",
    )
    assert found.text("objects", most=2) == "trees, road"
    assert derive(sample("a road .", "a road .", "many roads .")).objects == ("road",)


def test_turned_relations_are_one_fact() -> None:
    assert (
        told("a square is surrounded by trees") == told("trees are around a square") == ["tree around square"]
    )
    assert told("a river is under a bridge") == told("a bridge is over a river") == ["bridge over river"]


def test_what_questions_and_regions_say() -> None:
    asked = sample(
        label=None,
        questions=(
            Question("What is the theme of this picture?", "harbor", "theme"),
            Question("Does this picture contain trees?", "no", "presence"),
            Question("Does this picture contain red cars?", "yes", "presence"),
            Question("How many boats in the picture?", "three", "count"),
            Question("How many bridges in the picture?", "zero", "count"),
            Question("What is the location of the house in this picture?", "i cannot see it", "location"),
        ),
        regions=(Region("storage-tank", (0, 0, 1, 1)), Region("storage-tank", (2, 2, 3, 3))),
    )
    assert derive(asked) == Findings(("harbor",), ("cars", "boats", "storage tanks"), ())


def test_a_theme_without_a_label_is_the_scene_that_most_captions_name() -> None:
    assert derive(sample("a pond near a church .", "the church is white .")).theme == ("church",)
    assert derive(sample("it is green .")) == Findings()


def test_mistyped_and_other_names() -> None:
    assert derive(sample("planes at the termial surounded by formland")).objects == (
        "airplanes", "terminal", "farmland",
    )  # fmt: skip


def test_told_words_are_from_the_lists_of_prompt_words() -> None:
    samples = [
        sample("trees near a road .", label="Park"),
        sample("a tree in a park .", "boats .", label="Port"),
    ]
    lists = prompt_words(samples)
    assert lists["theme"] == ("park", "port")
    assert lists["objects"][0] == "tree"
    assert set(lists["relations"]) == {"near", "tree", "road", "in", "park"}
    assert prompt_words(samples, most=1)["relations"] == ("tree",)
    for one in samples:
        for expert in EXPERTS:
            assert set(told_words(one)[expert]) <= set(lists[expert])


def test_the_word_lists_agree() -> None:
    known = {*THINGS, *PLACES}
    assert {meant for meant in MEANS.values() if meant not in known} == set()
    assert not set(MEANS) & known, "a name means itself or another thing, not both"
    assert len(set(THINGS)) == len(THINGS)
    for how, patterns in RELATIONS.items():
        said = any(re.fullmatch(pattern, how) for pattern in patterns)
        assert said, f"{how}: a relation is written in words that are understood"
    assert FORMS["trees"].plural
    assert not FORMS["tree"].plural
    assert FORMS["buses"].name == "bus"


def test_any_text_can_be_read() -> None:
    for text in ("", ".", "and and near", "near", "is are with", "🛩 дерево", "near the road near", "a , , b"):
        mentions, relations = read_caption(text)
        assert all(isinstance(relation, Relation) for relation in relations)
        assert len(mentions) <= 1


@pytest.mark.parametrize("name", ["ucm-captions", "rsicd"])
def test_real_data_sets(name: str, real: Path) -> None:
    """Nearly every captioned picture has objects, most have relations, and every word is of the lists."""
    found = [derive(one) for one in islice(get_source(name, real).samples("val"), 150)]
    assert all(one.theme for one in found)
    assert sum(bool(one.objects) for one in found) > 0.97 * len(found)
    assert sum(bool(one.relations) for one in found) > 0.75 * len(found)
    for one in found:
        assert len(set(one.objects)) == len(one.objects)
        assert all(thing in FORMS for thing in one.objects)
