"""Two models on the same questions: whose experts tell more, whose are more even, and whether they sort tokens alike.

Experts of different models have nothing to do with each other by their numbers, so nothing here compares expert 3 with
expert 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skymoe.evaluation.routing.analysis import LABELS, Labels, informative
from skymoe.evaluation.routing.information import mutual_information
from skymoe.evaluation.routing.questions import Asked
from skymoe.evaluation.routing.tracing import Traced

Array = NDArray[np.float64]


def compare(
    one: Traced,
    other: Traced,
    reports: tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]],
    asked: Sequence[Asked],
    labels: Labels,
) -> list[dict[str, Any]]:
    """One entry for each pair of layers, the first with the first and so on: ``information`` (label → part →
    ``difference`` of the excess over chance, first model minus other, with its 95 % interval over resampled pictures)
    and ``agreement`` (part → normalised information between the two models' choices for the same token, and
    ``another``: for the token at its place in a question on another picture). ``reports`` are the two `analyse` made.
    """
    found = []
    for place, (its, others) in enumerate(zip(*reports, strict=False)):
        information: dict[str, Any] = {}
        for label in LABELS:
            information[label] = {}
            for part in informative(one):
                a, b = its["information"][label][part], others["information"][label].get(part)
                if a and b:
                    difference = _difference(
                        one, other, place, part, label, labels, a["excess"] - b["excess"]
                    )
                    information[label][part] = difference
        found.append(
            {
                "layer": its["layer"],
                "against": others["layer"],
                "information": information,
                "agreement": {
                    part: agreement(one, other, place, part, asked)
                    for part in informative(one)
                    if part in other.parts
                },
            }
        )
    return found


def _difference(
    one: Traced, other: Traced, place: int, part: str, label: str, labels: Labels, value: float
) -> dict[str, Any] | None:
    """Both models get the same resampled pictures; the spread of the difference is put around its value."""
    (present, shares), (elsewhere, others) = (each.shares(place, part) for each in (one, other))
    both = present & elsewhere
    labelled = labels.of(label, both)
    if labelled is None:
        return None
    spread = labelled.resampled(shares[both[present]]) - labelled.resampled(others[both[elsewhere]])
    low, high = (float(q) for q in np.quantile(spread, (0.025, 0.975)) - spread.mean())
    low, high = value + min(low, 0.0), value + max(high, 0.0)
    # Equal models differ by rounding alone.
    return {"difference": value, "low": low, "high": high, "clear": low > 1e-9 or high < -1e-9}


def agreement(
    one: Traced, other: Traced, place: int, part: str, asked: Sequence[Asked]
) -> dict[str, float] | None:
    """How far the two models sort the same tokens alike, 0–1, whatever their experts are called; None where their
    tokens are not the same ones."""
    its, others = one.parts.index(part), other.parts.index(part)
    same = np.zeros((one.experts, other.experts))
    moved = np.zeros_like(same)
    elsewhere = _elsewhere(asked)
    for number in range(len(asked)):
        here = one.part_of[number] == its
        there = other.part_of[number] == others
        if one.tokens[number] != other.tokens[number] or not np.array_equal(here, there):
            return None
        mine = one.choices[number][place, here]
        np.add.at(same, (mine, other.choices[number][place, there]), 1)
        if (partner := elsewhere[number]) is not None:
            away = other.choices[partner][place, other.part_of[partner] == others]
            count = min(len(mine), len(away))
            np.add.at(moved, (mine[:count], away[:count]), 1)
    if not same.sum():
        return None
    chance = float(mutual_information(moved)[1]) if moved.sum() else 0.0
    return {"nmi": float(mutual_information(same)[1]), "another": chance}


def _elsewhere(asked: Sequence[Asked]) -> list[int | None]:
    """For each question the next one of its task and granularity on another picture."""
    kinds: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(asked):
        kinds.setdefault((one.query.task, one.granularity), []).append(number)
    found: list[int | None] = [None] * len(asked)
    for members in kinds.values():
        for place, number in enumerate(members):
            turned = members[place + 1 :] + members[:place]
            found[number] = next((n for n in turned if asked[n].picture != asked[number].picture), None)
    return found


__all__ = ["agreement", "compare"]
