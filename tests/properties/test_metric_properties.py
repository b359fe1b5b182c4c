"""What holds for the metrics of any captions, answers and counts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skymoe.evaluation.metrics import caption, count, paper, paper_captions, vqa
from skymoe.evaluation.metrics.groups import by_group
from skymoe.evaluation.metrics.rouge import rouge_l

CAPTION = st.lists(st.sampled_from(["a", "plane", "two", "trees", "it's", "."]), min_size=1, max_size=8).map(
    " ".join
)
CORPUS = st.lists(st.tuples(CAPTION, st.lists(CAPTION, min_size=1, max_size=3)), min_size=2, max_size=5)
BREAKS = st.sampled_from(["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
Corpus = list[tuple[str, list[str]]]


def evaluated(corpus: Corpus) -> caption.CaptionScores:
    return caption.evaluate([text for text, _ in corpus], [lines for _, lines in corpus], with_meteor=False)


@settings(deadline=None, max_examples=40)
@given(CORPUS, st.randoms())
def test_the_order_of_the_images_does_not_matter(corpus: Corpus, rng: random.Random) -> None:
    order = rng.sample(range(len(corpus)), len(corpus))
    whole, mixed = evaluated(corpus), evaluated([corpus[place] for place in order])
    for name, estimate in whole.metrics.items():
        assert mixed.metrics[name]["value"] == pytest.approx(estimate["value"], abs=1e-9), name
        wanted = [whole.per_image[name][place] for place in order]
        assert mixed.per_image[name] == pytest.approx(wanted, abs=1e-9), name


@settings(deadline=None, max_examples=40)
@given(CORPUS, BREAKS, st.data())
def test_line_breaks_are_spaces(corpus: Corpus, mark: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(corpus) - 1))
    text, lines = corpus[place]
    broken = [*corpus]
    broken[place] = text.replace(" ", mark), [line.replace(" ", mark) for line in lines]
    assert evaluated(broken).per_image == evaluated(corpus).per_image


@settings(deadline=None, max_examples=40)
@given(CORPUS)
def test_bounds_and_a_caption_among_its_references(corpus: Corpus) -> None:
    found = evaluated(corpus)
    for name, values in found.per_image.items():
        assert all(0 <= value <= (10 if name == "cider" else 1) + 1e-9 for value in values), name
    echoed = evaluated([(lines[0], lines) for _, lines in corpus])
    assert echoed.per_image["rouge_l"] == pytest.approx([1.0] * len(corpus))
    assert echoed.metrics["rouge_l"]["value"] == pytest.approx(1)


@settings(deadline=None)
@given(CAPTION, st.lists(CAPTION, min_size=1, max_size=3), CAPTION)
def test_one_more_reference_never_lowers_rouge(text: str, lines: list[str], more: str) -> None:
    assert rouge_l(text, [*lines, more]) >= rouge_l(text, lines) - 1e-12


@settings(deadline=None)
@given(st.text(max_size=12), st.lists(st.text(max_size=12), min_size=1, max_size=3))
def test_character_bleu_is_a_share_that_falls_with_the_order(text: str, lines: list[str]) -> None:
    found = paper_captions.character_bleu(text, lines)
    assert all(0 <= value <= 1 + 1e-12 for value in found)
    if len(text) >= 4:
        assert paper_captions.character_bleu(text, [text, *lines]) == pytest.approx([1.0] * 4)


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_breaks_the_paper_protocol(text: str, reference: str) -> None:
    paper.contains(text, reference)
    found = paper.number(text)
    assert found is None or found >= 0
    assert (
        paper.contains(text + reference, reference) or not reference.strip() or reference.lower() != reference
    )


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["ship", "tank"]), st.none() | st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
    )
)
def test_groups_are_the_whole_in_parts(items: list[tuple[str, int | None, int]]) -> None:
    classes, given_counts, wanted = (list(column) for column in zip(*items, strict=True))
    whole = count.score(given_counts, wanted)["accuracy"]["value"] * len(items)
    parts = by_group(count.score, classes, given_counts, wanted)
    assert sum(parts[name]["accuracy"]["value"] * classes.count(name) for name in parts) == pytest.approx(
        whole
    )
    if all(value is not None for value in given_counts):
        readings = count.readings(given_counts, wanted)
        assert readings["read only"] == readings["unread as zero"] == count.score(given_counts, wanted)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["count", "area", "presence"])), min_size=1))
def test_aggregates_without_numbers_are_those_of_the_rest(items: list[tuple[bool, str]]) -> None:
    right, kinds = [hit for hit, _ in items], [kind for _, kind in items]
    found = vqa.aggregates(right, kinds)
    rest = [hit for hit, kind in items if kind == "presence"]
    assert ("oa_without_numbers" in found) == (0 < len(rest) < len(items))
    if "oa_without_numbers" in found:
        assert found["oa_without_numbers"]["value"] == pytest.approx(sum(rest) / len(rest))
        assert found["aa_without_numbers"]["value"] == pytest.approx(sum(rest) / len(rest))
