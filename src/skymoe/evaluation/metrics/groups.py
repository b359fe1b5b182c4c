"""The same metrics for every part of a set: by class, by question type, by size."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from skymoe.evaluation.intervals import Metrics

Key = TypeVar("Key", bound=Hashable)


def by_group(
    score: Callable[..., Metrics], groups: Sequence[Key], *lists: Sequence[Any], **options: Any
) -> dict[Key, Metrics]:
    """``score(*lists, **options)`` of the items of each group; groups in sorted order.

    ``groups`` names the group of every item, each of ``lists`` has one entry an item.
    """
    members: dict[Key, list[int]] = {}
    for item, group in enumerate(groups):
        members.setdefault(group, []).append(item)
    for entries in lists:
        assert len(entries) == len(groups), f"{len(entries)} entries for {len(groups)} items"
    return {
        group: score(*([entries[item] for item in members[group]] for entries in lists), **options)
        for group in sorted(members, key=str)
    }
