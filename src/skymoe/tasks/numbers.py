"""Reading a count from text, and writing a number in words.

The rules are those of the counting protocol: thousands separators, decimals, signs, number words of any size,
"a dozen", "no" and "none"; whole words only ("fourteen" is not 4, "three-story" is not 3, "2nd" and "90%"
count nothing); a range ("3-5", "over 20", "10+") or two different numbers cannot be read.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL = {word: value for value, word in enumerate(_ONES) if value}
_TENS_VALUE = {word: 10 * value for value, word in enumerate(_TENS, start=2)} | {"fourty": 40}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_GROUPS = {"hundred": 100, "dozen": 12}
_NOTHING = {"no", "none", "zero", "nil", "nought"}

# "several hundred" is no number; "hundred" alone is one.
_VAGUE = {"several", "few", "many", "some", "couple", "of", "countless"}
_APPROXIMATE = {"about", "around", "approximately", "roughly", "some", "a", "an", "="}
_BOUNDS = {"<", ">", "≤", "≥", "over", "under", "above", "below", "exceeding"}
_BOUND_PAIRS = {
    *((word, "than") for word in ("more", "less", "fewer", "greater", "larger", "smaller")),
    *(("at", word) for word in ("least", "most")),
    *((word, "of") for word in ("minimum", "maximum")),
    ("up", "to"),
}

_LONGEST_DIGITS = 18  # beyond that it counts nothing, and int() has a length limit of its own
_IGNORED = "#"  # digits inside a word, ordinals, percentages
_UNREADABLE = "#?"  # digits that cannot be one number, such as "1,23"
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?|[+-]?[0-9]+(\.[0-9]+)?")
_TOKEN = re.compile(
    r"""
      (?P<digits>(?<![\w.,])[+-]?[0-9]+(?:[.,][0-9]+)*(?=(?:m2)?(?!\w)))(?:m2)?(?P<share>\s?(?:%|percent\b))?
    | (?P<word>[^\W\d_]+(?:['-][^\W\d_]+)*(?![\w]))
    | (?P<glued>\w+)
    | (?P<mark>\S)
    """,
    re.VERBOSE,
)


def parse_number(text: str) -> Decimal | None:
    """The one number that ``text`` gives, or None where it gives none, a range, or two different ones."""
    found = _numbers(_tokens(text))
    return found[0] if found and all(value == found[0] for value in found) else None


def parse_count(text: str) -> int | None:
    """The count that ``text`` gives; None where :func:`parse_number` gives none or one that is not whole."""
    value = parse_number(text)
    return int(value) if value is not None and value == value.to_integral_value() else None


def number_to_words(value: int) -> str:
    """English words without "and": 1234 → "one thousand two hundred thirty-four"."""
    if value < 0:
        return "minus " + number_to_words(-value)
    if value < 20:
        return _ONES[value]
    if value < 100:
        ten, one = divmod(value, 10)
        return _TENS[ten - 2] + (f"-{_ONES[one]}" if one else "")
    scale, name = max((s, n) for n, s in {**_SCALES, "hundred": 100}.items() if s <= value)
    many, rest = divmod(value, scale)
    return f"{number_to_words(many)} {name}" + (f" {number_to_words(rest)}" if rest else "")


def _tokens(text: str) -> list[str]:
    """Lower-case words, plain digits ("1234.5") and marks; compounds of number words are taken apart."""
    # Non-breaking and thin spaces group thousands; an ordinary one separates two numbers.
    text = re.sub(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))", ",", text)
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    text = re.sub(r"[−‐‑‒–—]", "-", text)
    text = re.sub(r"[*_`\"]+", " ", text)
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if digits := match["digits"]:
            # A sign after a word is a hyphen, which the pattern has seen to; a share counts nothing.
            plain = digits.replace(",", "")
            readable = _THOUSANDS.fullmatch(digits) and len(plain) <= _LONGEST_DIGITS
            tokens.append(_IGNORED if match["share"] else plain if readable else _UNREADABLE)
        elif match["word"]:
            parts = token.split("-")
            # "three-story", "twenty-first": the whole compound is the word.
            tokens += parts if all(map(_is_number_word, parts)) else [token]
        else:
            tokens.append(_IGNORED if match["glued"] else token)
    return tokens


def _is_number_word(word: str) -> bool:
    return any(word in words for words in (_SMALL, _TENS_VALUE, _SCALES, _GROUPS))


def _is_digits(token: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", token) is not None


def _numbers(tokens: list[str]) -> list[Decimal]:
    """Every number in reading order; a NaN, which equals nothing, stands for what cannot be read."""
    unreadable = Decimal("NaN")
    found: list[Decimal] = []
    interjection = False
    at = 0
    while at < len(tokens):
        token = tokens[at]
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        if token == _UNREADABLE:
            found.append(unreadable)
        elif token == "no" and following and following in ",;.!:-":
            interjection = True  # "no, there are 5" says five; "no." says none
        elif token in _NOTHING:
            found.append(Decimal(0))
            at += token == "no" and following == "one"
        else:
            value, after = _read(tokens, at)
            if value is not None:
                found.append(unreadable if _is_bound(tokens, at, after) else value)
                at = after
                continue
        at += 1
    return found or ([Decimal(0)] if interjection else [])


def _is_bound(tokens: list[str], start: int, end: int) -> bool:
    """Whether the number at ``start`` … ``end`` only bounds the count: "over 20", "10+", "5 or more"."""
    before = start
    while before > 0 and tokens[before - 1] in _APPROXIMATE:
        before -= 1
    if before > 0 and tokens[before - 1] in _BOUNDS:
        return True
    if before > 1 and (tokens[before - 2], tokens[before - 1]) in _BOUND_PAIRS:
        return True
    after = tokens[end : end + 2]
    return after[:1] == ["+"] or after in (["or", "more"], ["or", "less"], ["or", "fewer"])


def _read(tokens: list[str], start: int) -> tuple[Decimal | None, int]:
    """The number that begins at ``start`` and where it ends, or (None, start)."""
    negative = tokens[start] in ("minus", "negative")
    at = start + negative
    total: Decimal | None = None
    ceiling = Decimal(10) ** 15
    while at < len(tokens):
        joined = at + 1 if total is not None and tokens[at] == "and" else at
        group, after = _group(tokens, joined, first=total is None)
        if group is None:
            break
        scale = Decimal(1)
        while after < len(tokens) and tokens[after] in _SCALES:
            scale *= _SCALES[tokens[after]]
            after += 1
        # "two thousand three million" and "two thousand 300" are two numbers each.
        if group * scale >= ceiling or (total is not None and _is_digits(tokens[joined])):
            break
        total = (total or Decimal(0)) + group * scale
        at = after
        if scale == 1:
            break
        ceiling = scale
    if total is None:
        return None, start
    if tokens[at : at + 3] == ["and", "a", "half"]:
        total, at = total + Decimal("0.5"), at + 3
    return -total if negative else total, at


def _group(tokens: list[str], at: int, first: bool) -> tuple[Decimal | None, int]:
    """What may stand before a scale: digits, words, "a hundred", "two dozen", "half a dozen"."""
    token = tokens[at] if at < len(tokens) else ""
    following = tokens[at + 1] if at + 1 < len(tokens) else ""
    vague = at > 0 and tokens[at - 1] in _VAGUE
    if tokens[at : at + 3] == ["half", "a", "dozen"]:
        return Decimal(6), at + 3
    if token in ("a", "an") and (following in _GROUPS or following in _SCALES):
        return _multiple(tokens, at + 1, Decimal(1)) if first else (None, at)
    if (token in _GROUPS or token in _SCALES) and first and not vague:
        return _multiple(tokens, at, Decimal(1))
    if token and _is_digits(token):
        return _multiple(tokens, at + 1, Decimal(token))
    small, after = _below_hundred(tokens, at)
    return (None, at) if small is None else _multiple(tokens, after, Decimal(small))


def _multiple(tokens: list[str], at: int, value: Decimal) -> tuple[Decimal, int]:
    """``value`` and the "hundred (and) …" or "dozen" that follows it."""
    word = tokens[at] if at < len(tokens) else ""
    if word not in _GROUPS:
        return value, at
    value, at = value * _GROUPS[word], at + 1
    if word == "dozen":
        return value, at
    joined = at + 1 if tokens[at : at + 1] == ["and"] else at
    small, after = _below_hundred(tokens, joined)
    # "one hundred and two hundred": the two begins a number of its own.
    if small is None or (after < len(tokens) and tokens[after] in _GROUPS):
        return value, at
    return value + small, after


def _below_hundred(tokens: list[str], at: int) -> tuple[int | None, int]:
    """One … ninety-nine in words."""
    word = tokens[at] if at < len(tokens) else ""
    if word in _TENS_VALUE:
        one = _SMALL.get(tokens[at + 1], 0) if at + 1 < len(tokens) else 0
        return (_TENS_VALUE[word] + one, at + 2) if 0 < one < 10 else (_TENS_VALUE[word], at + 1)
    return (_SMALL[word], at + 1) if word in _SMALL else (None, at)
