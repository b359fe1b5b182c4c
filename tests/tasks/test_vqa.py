from __future__ import annotations

from random import Random

import pytest

from skymoe.sample import Question, Sample
from skymoe.tasks import FreeText, OneOf, Query, get_task
from skymoe.tasks.vqa import normalise_answer, same_answer

vqa = get_task("vqa")


def test_everything_this_picture_can_honestly_be_asked(sample: Sample) -> None:
    asked = [(query.subject, query.target, query.kind, query.official) for query in vqa.queries(sample)]
    assert asked == [
        ("Does this picture contain trees?", "yes", "presence", True),
        ("How many buildings in the picture?", "twenty-one", "count", True),
        ("Is there a storage tank in this image?", "yes", "presence", False),
        ("Is there an airplane in this image?", "no", "presence", False),
        ("Is there a pond in this image?", "no", "presence", False),
        ("Is there a ship in this image?", "no", "presence", False),
        ("What is the theme of this picture?", "storage tanks", "theme", False),
        ("Is this a storage tank scene?", "yes", "scene", False),
        ("Is this a river scene?", "no", "scene", False),
        ("Is this a tennis court scene?", "no", "scene", False),
    ]


def test_what_the_dataset_asks_is_not_asked_again(sample: Sample) -> None:
    own = (
        Question("What is the theme of this picture?", "farmland", "theme"),
        Question("Does this picture contain an airplane?", "no", "presence"),
    )
    subjects = [query.subject for query in vqa.queries(sample.replace(questions=own))]
    assert subjects.count("What is the theme of this picture?") == 1
    assert "Is there an airplane in this image?" not in subjects


def test_run_together_themes_become_plain_words(sample: Sample) -> None:
    own = (Question("what is the theme of this picture?", "denseresidential", "theme"),)
    assert vqa.queries(sample.replace(questions=own))[0].target == "dense residential"


def test_a_scene_that_is_an_object_shows_one(sample: Sample) -> None:
    bare = Sample("", "", "", "", "", 9, 9, label="Bridge", labels=("Bridge", "Park"))
    first = vqa.queries(bare)[0]
    assert (first.subject, first.target) == ("Is there a bridge in this image?", "yes")
    # A park may well have trees or none: nothing is derived.
    park = bare.replace(label="Park")
    assert not any(query.kind == "presence" for query in vqa.queries(park))


def test_no_does_not_outnumber_yes_in_training(sample: Sample) -> None:
    sample = sample.replace(absent=frozenset(f"thing {n}" for n in range(20)), labels=tuple("abcdefgh"))
    derived = [query for query in vqa.queries(sample, Random(0)) if not query.official]
    for kind in ("presence", "scene"):
        targets = [query.target for query in derived if query.kind == kind]
        assert targets == ["yes", "no"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes", "yes"),
        ("yes, there is a ship.", "yes"),
        ("No trees can be seen", "no"),
        ("**No**.", "no"),
        ("Ｙｅｓ", "yes"),
        ("Answer: Yes", "yes"),
        ("The answer is: no.", "no"),
        ("USER: is it? ASSISTANT: Yes</s>", "yes"),
        ("<think>no, wait</think> yes<|im_end|>", "yes"),
        ("none", "none"),
        ("nothing", "nothing"),
        ("Farmland.", "farmland"),
        ('"Dense Residential"', "dense residential"),
        ("farmland, because there are fields", "farmland"),
        ("airport, several planes are parked", "airport"),
        ("rural because of the fields", "rural"),
        ("river; forest", "river"),
        ("left, center and right", "left, center and right"),
        ("up, left and right. It is clear", "up, left and right"),
        ("12.5 m", "12.5 m"),
        ("1,234", "1,234"),
        ("twenty-one", "twenty-one"),
        ("rural - few houses", "rural"),
        ("first\nsecond", "first"),
        ("", ""),
        (" ... ", ""),
        ("answer:", "answer"),
    ],
)
def test_normalisation(text: str, answer: str) -> None:
    assert normalise_answer(text) == answer


def test_parsing_free_answers() -> None:
    answer = vqa.parse("Thirteen.", width=1, height=1)
    assert (answer.label, answer.number, answer.parsed, answer.text) == ("thirteen", 13, True, "Thirteen.")
    no = vqa.parse("No.", width=1, height=1)
    assert (no.label, no.number) == ("no", None)
    assert not vqa.parse("", width=1, height=1).parsed


@pytest.mark.parametrize(
    ("text", "labels", "label"),
    [
        ("It is rural", ("rural", "urban"), "rural"),
        ("rural or urban", ("rural", "urban"), None),
        ("suburban", ("rural", "urban"), None),
        ("Yes, it is", ("yes", "no"), "yes"),
        ("there is no doubt", ("yes", "no"), None),
        ("No ship", ("Yes", "No"), "No"),
    ],
)
def test_parsing_with_a_closed_list(text: str, labels: tuple[str, ...], label: str | None) -> None:
    answer = vqa.parse(text, width=1, height=1, labels=labels)
    assert (answer.label, answer.parsed) == (label, label is not None)


@pytest.mark.parametrize(
    ("text", "reference", "same"),
    [
        ("13", "thirteen", True),
        ("There are thirteen", "13", True),
        ("Parking lot.", "parkinglot", True),
        ("twenty one", "twenty-one", True),
        ("yes, many", "yes", True),
        ("no", "zero", False),
        ("left", "left, center and right", False),
        ("left, center and right.", "left, center and right", True),
        ("river", "rivers", False),
        ("", "", False),
        ("?", "", False),
    ],
)
def test_same_answer(text: str, reference: str, same: bool) -> None:
    assert same_answer(text, reference) is same


@pytest.mark.parametrize(
    ("question", "kind", "shape"),
    [
        ("Is there a ship?", None, OneOf(("yes", "no"))),
        ("any ships here?", None, OneOf(("yes", "no"))),
        ("Ships?", "presence", OneOf(("yes", "no"))),
        ("Is it a rural or an urban area?", None, FreeText(16)),
        ("What is the theme of this picture?", "theme", FreeText(16)),
        ("Island or mainland?", None, FreeText(16)),
    ],
)
def test_shapes(question: str, kind: str | None, shape: object) -> None:
    assert vqa.shape(Query("vqa", question, kind=kind)) == shape


def test_a_closed_list_is_a_shape() -> None:
    assert vqa.shape(Query("vqa", "Rural or urban?", labels=("rural", "urban"))) == OneOf(("rural", "urban"))
