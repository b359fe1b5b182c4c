"""The model inside the package: what the engine makes of it is what plain Transformers would, and it sees something."""

from __future__ import annotations

import pytest

import skymoe
from engine import plain
from skymoe import demo
from skymoe.engine import SkyMoe, jobs, speaking
from skymoe.engine.opened import opened
from skymoe.tasks import Query

PICTURES = {path.stem: path for path in demo.pictures()}
QUERIES = [
    Query("vqa", "Is there a storage tank in the image?"),
    Query("vqa", "What is the theme of this picture?"),
    Query("count", "storage tank"),
    Query("ground", "the largest storage tank"),
    Query("classify"),
    Query("caption"),
]


@pytest.fixture(scope="module")
def nano() -> SkyMoe:
    if not (demo.ASSETS / "nano" / "config.json").is_file():
        pytest.skip("the trained model is not in the package")
    return skymoe.load(device="cpu")


@pytest.mark.parametrize("name", ["storage-tanks", "harbor"])
def test_questions_on_one_picture_are_answered_as_by_plain_generate(nano: SkyMoe, name: str) -> None:
    picture = opened(PICTURES[name])
    answers = nano.answer(picture, QUERIES, constrained=False)
    for query, answer in zip(QUERIES, answers, strict=True):
        limit = jobs.limit(nano._typed(picture, query).shape)
        assert answer.text == plain.generate(nano, picture.picture, query, max_new_tokens=limit)[0]


def test_captions_are_those_of_plain_beam_search(nano: SkyMoe) -> None:
    picture = opened(PICTURES["tennis-courts"])
    expected = plain.generate(nano, picture.picture, Query("caption"), max_new_tokens=64, num_beams=5)[0]
    assert nano.caption(picture).text == expected


def test_short_answers_are_the_most_probable_whole_ones(nano: SkyMoe) -> None:
    for question in (
        "What is the theme of this picture?",
        "What is the location of the trees in this picture?",
    ):
        query, picture = Query("vqa", question), opened(PICTURES["harbor"])
        options = {"max_new_tokens": 16, "num_beams": speaking.ANSWER_BEAMS, "length_penalty": 0.0}
        expected = plain.generate(nano, picture.picture, query, **options)[0]
        assert nano.answer(picture, query)[0].text == expected


def test_typed_answers_parse_and_scenes_are_seen(nano: SkyMoe) -> None:
    found = nano.classify(list(PICTURES.values()))
    assert all(answer.parsed for answer in found)
    scenes = {name: answer.label for name, answer in zip(PICTURES, found, strict=True)}
    assert scenes["storage-tanks"] == "storage tanks"
    assert scenes["tennis-courts"] == "tennis court"
    assert scenes["intersection"] == "intersection"
    answers = nano.answer(
        PICTURES["storage-tanks"], [*QUERIES, Query("vqa", "Is there an airplane in the image?")]
    )
    assert all(answer.parsed for answer in answers)
    assert (answers[0].label, answers[-1].label) == ("yes", "no")
    assert "storage tank" in answers[5].text


def test_the_packaged_weights_are_stored_in_half_precision_and_computed_in_full(nano: SkyMoe) -> None:
    assert str(nano.model.dtype) == "torch.float32"
    assert (demo.ASSETS / "nano" / "model.safetensors").stat().st_size < 60_000_000
