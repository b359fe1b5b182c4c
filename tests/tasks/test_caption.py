from __future__ import annotations

from random import Random

from skymoe.sample import Sample
from skymoe.tasks import FreeText, get_task
from skymoe.tasks.caption import tidy

caption = get_task("caption")


def test_captions_lose_stray_spaces_and_line_breaks_only() -> None:
    assert tidy(" Two tanks ,\u2028 side by side .\r\n") == "Two tanks, side by side."
    assert tidy("A u.s. Port at 1.5 m") == "A u.s. Port at 1.5 m"


def test_repeated_references_stay(sample: Sample) -> None:
    (query,) = caption.queries(sample)
    assert query.target == "There are two storage tanks."
    assert query.references == ("There are two storage tanks.", "Two tanks.", "Two tanks.")
    assert query.official
    assert {caption.queries(sample, Random(seed))[0].target for seed in range(30)} == set(query.references)


def test_no_caption_no_query(sample: Sample) -> None:
    assert caption.queries(sample.replace(captions=())) == []
    assert caption.queries(sample.replace(captions=(" ",))) == []


def test_any_text_is_a_caption_but_an_empty_one(sample: Sample) -> None:
    (query,) = caption.queries(sample)
    assert caption.shape(query) == FreeText(max_tokens=64)
    answer = caption.parse(" A river . ", width=1, height=1)
    assert (answer.parsed, answer.label, answer.text) == (True, "A river.", " A river . ")
    assert not caption.parse(" \n", width=1, height=1).parsed
