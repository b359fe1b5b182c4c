"""A user's own list of labels → a query."""

from __future__ import annotations

from collections.abc import Sequence

from skymoe.errors import UserError
from skymoe.tasks import Query
from skymoe.tasks.labels import label_key


def classify_query(labels: Sequence[str] | None) -> Query:
    """The classify query for a user's own list of labels, or for the trained ones.

    Raises:
        UserError: for fewer than two labels, or one without letters or digits.
    """
    if labels is None:
        return Query("classify")
    spelt: dict[str, str] = {}
    for label in labels:
        spelt.setdefault(label_key(label), label.strip())
    if len(spelt) < 2 or "" in spelt:
        given = ", ".join(map(repr, labels)) or "none"
        raise UserError(f"labels {given}: give at least two different words or phrases")
    return Query("classify", labels=tuple(spelt.values()))
