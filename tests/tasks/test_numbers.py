"""What is a count, and what is not, by the counting protocol."""

from __future__ import annotations

from decimal import Decimal

import pytest

from skymoe.tasks.numbers import number_to_words, parse_count, parse_number


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("12", 12),
        ("There are 12 ships.", 12),
        ("**12**", 12),
        ('"12"', 12),
        ("12!", 12),
        ("- 12", 12),
        ("count=12", 12),
        ("１２", 12),
        ("007", 7),
        ("1,234", 1234),
        ("1,234,567 trees", 1234567),
        ("1\u00a0234", 1234),
        ("1\u202f234\u202f567", 1234567),
        ("12.0", 12),
        ("1,200.00", 1200),
        ("-3", -3),
        ("−3", -3),
        ("+4", 4),
        ("minus four", -4),
        ("25m2", 25),
        ("25 m²", 25),
        ("about 20", 20),
        ("~20", 20),
        ("twenty-one", 21),
        ("Twenty one", 21),
        ("TWENTY‑ONE", 21),
        ("fourteen", 14),
        ("fifty five", 55),
        ("one hundred and twenty-one", 121),
        ("a hundred and one", 101),
        ("twelve hundred", 1200),
        ("two thousand and five", 2005),
        ("two million three hundred thousand and six", 2300006),
        ("3 thousand", 3000),
        ("1.5 million", 1500000),
        ("hundred", 100),
        ("a dozen", 12),
        ("a dozen ships", 12),
        ("two dozen", 24),
        ("half a dozen", 6),
        ("no", 0),
        ("No.", 0),
        ("none", 0),
        ("zero", 0),
        ("There are no ships", 0),
        ("no one", 0),
        ("0 (zero)", 0),
        ("No, there are 5.", 5),
        ("3 (three)", 3),
        ("12 (90% sure)", 12),
        ("The 2nd pier has 4 ships", 4),
    ],
)
def test_one_number_can_be_read(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "",
        "many",
        "several hundred",
        "a few dozen",
        "hundreds",
        "dozens of ships",
        "I cannot tell",
        # ranges
        "3-5",
        "3–5",
        "3 to 5",
        "between 3 and 5",
        "over 20",
        "more than about 20",
        "at least twelve",
        "up to 5",
        "no more than 5",
        "10+",
        ">10",
        "≥ 10",
        "5 or more",
        # two different numbers
        "five or six",
        "five and six",
        "one two three",
        "one hundred and two hundred",
        "two thousand 300",
        "three tanks and 2 ships",
        "1 234",
        "3/4",
        # not whole words
        "fourteenth",
        "2nd",
        "b52",
        "90%",
        "90 percent",
        "three-story",
        "twenty-first",
        # not whole, or not to be read
        "12.5",
        "1.234",
        "two and a half",
        "1,23",
        "10,20",
        "1.2.3",
        "9" * 5000,
    ],
)
def test_what_cannot_be_read_is_no_count(text: str) -> None:
    assert parse_count(text) is None


def test_a_number_keeps_its_decimals_where_a_count_cannot() -> None:
    assert parse_number("12.5") == Decimal("12.5")
    assert parse_number("two and a half million") is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (21, "twenty-one"),
        (100, "one hundred"),
        (1234, "one thousand two hundred thirty-four"),
        (1000000, "one million"),
        (-5, "minus five"),
    ],
)
def test_numbers_in_words(value: int, words: str) -> None:
    assert number_to_words(value) == words
