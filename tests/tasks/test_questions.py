from __future__ import annotations

from random import Random

import pytest

from skymoe.tasks.questions import (
    SUFFIX,
    counted_noun,
    presence_question,
    read_question,
    reword,
    scene_question,
)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("What is the theme of this picture?", ("theme", "")),
        ("what is the theme of this picture", ("theme", "")),
        ("Does this picture contain an airplane?", ("presence", "airplane")),
        ("Does this picture contain trees?", ("presence", "trees")),
        ("Is there a storage tank in this image?", ("presence", "storage tank")),
        ("are there any ships", ("presence", "ships")),
        ("any ships here?", ("presence", "ships")),
        ("Can you see a bridge?", ("presence", "bridge")),
        ("How many red cars in the picture?", ("count", "red cars")),
        ("How many cars are there?", ("count", "cars")),
        ("What is the location of the cross point in this picture?", ("location", "cross point")),
        ("Is this a dense residential scene?", ("scene", "dense residential")),
        # RSIVQA's questions without a noun
        ("How many  in the picture?", None),
        ("What is the location of the  in this picture?", None),
        ("Is it a rural or an urban area?", None),
        ("", None),
    ],
)
def test_families(text: str, known: tuple[str, str] | None) -> None:
    assert read_question(text) == known


def test_derived_questions_belong_to_their_families() -> None:
    assert presence_question("airplane") == "Is there an airplane in this image?"
    assert read_question(presence_question("storage tank")) == ("presence", "storage tank")
    assert scene_question("storage tanks") == "Is this a storage tank scene?"
    assert scene_question("farmland") == "Is this a farmland scene?"
    assert read_question(scene_question("industrial")) == ("scene", "industrial")


def test_the_counted_noun_is_singular() -> None:
    assert counted_noun("How many mobile homes in the picture?") == "mobile home"
    assert counted_noun("Does this picture contain trees?") is None


def test_counts_and_locations_always_carry_the_suffix() -> None:
    # Without it the same words ask the count task for digits, or ground for a box.
    for question in ("How many cars in the picture?", "What is the location of the boats in this picture?"):
        assert all(reword(question, Random(seed)).endswith(SUFFIX) for seed in range(100))


def test_presence_is_asked_casually_too() -> None:
    texts = {reword("Is there a ship in this image?", Random(seed)).lower() for seed in range(500)}
    assert {
        "any ships here?",
        "any ships",
        "is there a ship in this image?",
        "can you see a vessel?",
    } <= texts


def test_other_questions_keep_their_words() -> None:
    question = "Is it a rural or an urban area"
    assert all(question[1:] in reword(question, Random(seed)) for seed in range(50))
