"""What holds for every text and every picture: parsing never fails, phrases stay true, numbers round trip."""

from __future__ import annotations

import json
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from skymoe.answer import Answer
from skymoe.boxes import MOVES, move_box, moved_size
from skymoe.sample import Expression, Question, Region, Sample
from skymoe.tasks import TASKS, FreeText, Integer, OneOf, Query
from skymoe.tasks.base import Box as BoxShape
from skymoe.tasks.expressions import derive, names_one, referents
from skymoe.tasks.labels import TRAINED_LABELS, display_label, find_labels
from skymoe.tasks.numbers import number_to_words, parse_count
from skymoe.tasks.vqa import normalise_answer, same_answer

# What models really write, mixed with anything at all.
snippets = st.sampled_from(
    [
        "yes",
        "No,",
        "12",
        "1,234",
        "twenty-one",
        "{<1><2><3><4>}",
        "[0.1,",
        "a dozen",
        "railway station",
        "**",
        ".",
    ]
)
texts = st.one_of(st.text(max_size=60), st.lists(snippets | st.text(max_size=5), max_size=6).map(" ".join))
words = st.from_regex(r"[a-z]{2,8}( [a-z]{2,8})?", fullmatch=True)


@st.composite
def scenes(draw: st.DrawFn) -> Sample:
    """A picture of tanks and ships, not square."""
    width, height = draw(st.integers(64, 600)), draw(st.integers(64, 600))
    regions = []
    for _ in range(draw(st.integers(0, 7))):
        w, h = draw(st.integers(4, 60)), draw(st.integers(4, 60))
        x, y = draw(st.integers(0, width - w)), draw(st.integers(0, height - h))
        name = draw(st.sampled_from(["storage tank", "ship"]))
        regions.append(Region(name, (x, y, x + w, y + h), difficult=draw(st.booleans())))
    known = frozenset({"storage tank", "ship"})
    return Sample(
        "s", "s.png", "test", "train", "none", width, height, regions=tuple(regions), complete=known
    )


@given(texts, st.lists(texts, max_size=4))
def test_no_answer_breaks_a_parser_and_the_raw_text_is_kept(text: str, labels: list[str]) -> None:
    for name, task in TASKS.items():
        answer = task.parse(text, width=100, height=80, labels=tuple(labels))
        assert (answer.task, answer.text) == (name, text)
        assert json.loads(json.dumps(answer.to_dict()))["parsed"] is answer.parsed
        told = (answer.label, answer.number, *answer.boxes)
        assert answer.parsed or all(value is None for value in told) or name == "vqa"


@given(st.integers(0, 10**15 - 1) | st.integers(0, 1200))
def test_numbers_in_words_and_digits_round_trip(value: int) -> None:
    spelled = number_to_words(value)
    assert parse_count(spelled) == value
    assert parse_count(spelled.replace("-", " ").capitalize() + ".") == value
    assert parse_count(f"There are {value:,} ships.") == value
    assert parse_count(f"{value}.0") == value
    assert parse_count(f"-{value}") == -value


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_two_numbers_are_read_only_where_they_are_one(a: int, b: int) -> None:
    for joined in (f"{a} or {b}", f"{a}-{b}", f"{number_to_words(a)} to {number_to_words(b)}"):
        assert parse_count(joined) == (a if a == b else None)


@given(
    st.sampled_from(TRAINED_LABELS),
    st.sampled_from(["", "a ", "It is a ", "«"]),
    st.sampled_from(["", ".", "!"]),
)
def test_every_spelling_of_every_label_is_found_alone(label: str, before: str, after: str) -> None:
    camel = "".join(word.capitalize() for word in label.split())
    for spelling in (label, label.upper(), camel, label.replace(" ", "_"), label.replace(" ", "-")):
        assert find_labels(before + spelling + after, TRAINED_LABELS) == (label,)
        assert display_label(spelling) == label
        answer = TASKS["classify"].parse(before + spelling + after, width=1, height=1)
        assert answer.label == label


@given(texts)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise_answer(text)
    assert once == once.strip()
    assert same_answer(text, text) is (once != "")
    assert not same_answer("", text)


@given(scenes())
def test_derived_phrases_name_exactly_that_object(sample: Sample) -> None:
    for expression in derive(sample):
        name = expression.phrase.split(" ", 2)[-1].removeprefix("storage ")
        assert names_one(expression.phrase, sample.regions, sample.width, sample.height), name
        (region,) = referents(expression.phrase, sample.regions, sample.width, sample.height) or ()
        assert region.box == expression.box
        assert not region.difficult


@given(scenes(), st.sampled_from(MOVES))
def test_sizes_and_places_follow_the_picture(sample: Sample, move: str) -> None:
    width, height = moved_size(move, sample.width, sample.height)
    regions = tuple(
        Region(r.name, move_box(r.box, move, sample.width, sample.height), None, r.difficult)
        for r in sample.regions
    )
    moved = sample.replace(width=width, height=height, regions=regions)

    def named(scene: Sample, word: str) -> set[tuple[float, ...]]:
        return {e.box for e in derive(scene) if word in e.phrase}

    def there(boxes: set[tuple[float, ...]]) -> set[tuple[float, ...]]:
        return {move_box(box, move, sample.width, sample.height) for box in boxes}  # type: ignore[arg-type]

    for word in ("largest", "smallest", "only", "central"):
        assert there(named(sample, word)) == named(moved, word)
    # What becomes of the top left corner.
    x, y = move_box((0, 0, 0, 0), move, sample.width, sample.height)[:2]
    corner = f"{'top' if y == 0 else 'bottom'}-{'left' if x == 0 else 'right'}"
    assert there(named(sample, "top-left")) == named(moved, corner)
    if move == "flip_left_right":
        assert there(named(sample, "leftmost")) == named(moved, "rightmost")
        assert there(named(sample, "topmost")) == named(moved, "topmost")


@given(scenes(), st.integers(0, 1000))
def test_queries_are_honest_and_fit_their_shapes(sample: Sample, seed: int) -> None:
    sample = sample.replace(absent=frozenset({"airplane"}), label="Port", labels=("Port", "River"))
    for name, task in TASKS.items():
        for query in [*task.queries(sample), *task.queries(sample, Random(seed))]:
            assert query.target is not None
            answer = task.parse(query.target, width=sample.width, height=sample.height, labels=query.labels)
            shape = task.shape(query)
            if isinstance(shape, OneOf):
                assert query.target in shape.labels
            elif isinstance(shape, Integer):
                assert answer.number == sample.count(query.subject or "")
            elif isinstance(shape, BoxShape):
                assert len(answer.boxes) == 1
                assert answer.boxes[0].area > 0
            else:
                assert isinstance(shape, FreeText)
                assert len(query.target.split()) <= shape.max_tokens
            assert name == query.task


@given(scenes(), texts, words)
def test_samples_survive_json(sample: Sample, text: str, name: str) -> None:
    sample = sample.replace(
        window=(0.5, 1, 2, 3),
        captions=(text,),
        absent=frozenset({name}),
        questions=(Question(text, text, "theme"),),
        expressions=(Expression(text, (0, 0, 1, 1), (0, 0, 1, 0, 1, 1)),),
    )
    assert Sample.from_dict(json.loads(json.dumps(sample.to_dict()))) == sample


def test_a_record_with_only_the_needed_fields_is_a_sample() -> None:
    needed = dict.fromkeys(("id", "image", "source", "split", "licence"), "x") | {"width": 3, "height": 2}
    assert Sample.from_dict(needed) == Sample("x", "x", "x", "x", "x", 3, 2)


def test_an_answer_as_json_has_only_what_applies() -> None:
    assert Answer("count", "two", number=2).to_dict() == {
        "task": "count",
        "text": "two",
        "parsed": True,
        "number": 2,
    }
    answer = TASKS["ground"].parse("{<0><0><50><50>|<10>}", width=10, height=10).replace(confidence=0.5)
    assert answer.to_dict() == {
        "task": "ground",
        "text": "{<0><0><50><50>|<10>}",
        "parsed": True,
        "boxes": [{"x1": 0, "y1": 0, "x2": 5, "y2": 5, "angle": 10}],
        "confidence": 0.5,
    }


def test_values_are_hashable_and_frozen() -> None:
    assert len({Query("count", "ship"), Query("count", "ship"), Query("count", "tank")}) == 2
    assert hash(Sample("x", "x", "x", "x", "x", 3, 2)) == hash(Sample("x", "x", "x", "x", "x", 3, 2))
