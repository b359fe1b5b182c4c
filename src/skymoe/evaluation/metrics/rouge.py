"""ROUGE-L as COCO has it: the longest common subsequence, best precision and best recall over references, β = 1.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BETA = 1.2


def rouge_l(prediction: str, references: Sequence[str]) -> float:
    """ROUGE-L of one tokenised caption against all its references.

    Words are what single spaces separate, so an empty caption is one empty word, as it is to pycocoevalcap: it equals
    an empty reference.
    """
    given = prediction.split(" ")
    places = _places(given)
    precision = recall = 0.0
    for line in references:
        wanted = line.split(" ")
        shared = _common(places, len(given), wanted)
        precision, recall = max(precision, shared / len(given)), max(recall, shared / len(wanted))
    if not precision:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest common subsequence of two word lists."""
    return _common(_places(a), len(a), b)


def _places(words: Sequence[str]) -> dict[str, int]:
    """Where each word stands, as bits of one integer."""
    places: dict[str, int] = {}
    bit = 1
    for word in words:
        places[word] = places.get(word, 0) | bit
        bit <<= 1
    return places


def _common(places: Mapping[str, int], length: int, words: Sequence[str]) -> int:
    """A whole row of the table in one integer (Hyyrö 2004): zeros mark where the row above grows by one."""
    row = (1 << length) - 1
    full = row
    for word in words:
        if found := row & places.get(word, 0):
            row = ((row + found) | (row - found)) & full
    return length - row.bit_count()
