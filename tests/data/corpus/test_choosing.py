from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skymoe.data.corpus.choosing import Fate, Staged, fates, order, quotas, twins

from .conftest import Recipe, built, items_of, record, write_samples

counts = st.lists(st.integers(0, 500), min_size=1, max_size=6)


@settings(deadline=None)
@given(counts, st.data(), st.integers(1, 2000))
def test_quotas_fill_the_size_and_never_ask_for_more_than_there_is(
    there: list[int], data: st.DataObject, size: int
) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 50), min_size=len(there), max_size=len(there)))
    found = quotas(there, weights, size)
    assert sum(found) == min(size, sum(there))
    assert all(0 <= quota <= many for quota, many in zip(found, there, strict=True))


def test_quotas_follow_the_weights_and_make_up_for_what_is_short() -> None:
    assert quotas([1000, 1000, 1000], [1, 2, 1], 400) == [100, 200, 100]
    assert quotas([1000, 50, 1000], [1, 2, 1], 450) == [200, 50, 200]


def staged(
    groups: list[int], keys: list[int], owners: list[int] | None = None, samples: int | None = None
) -> Staged:
    many = len(groups)
    owners = owners or list(range(many))
    few = samples or max(owners) + 1
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**63, few, dtype=np.uint64)
    return Staged(
        chunks=(Path("c"),), chunk_of=np.zeros(many, np.int32), row=np.arange(many, dtype=np.int32),
        group=np.array(groups, np.int16), owner=np.array(owners), key=np.array(keys, np.uint64),
        priority=rng.integers(0, 2**63, many, dtype=np.uint64), sample=words, sample_chunk=np.zeros(few, np.int32),
        sample_row=np.arange(few, dtype=np.int32), identity=words, hash=np.zeros(few, np.uint64),
        tells=np.zeros(few, bool),
    )  # fmt: skip


def test_the_same_question_on_the_same_picture_stays_once_and_first() -> None:
    items = staged([0, 0, 1, 1], [7, 7, 7, 8], owners=[0, 0, 0, 1])
    assert fates(items, "exact", [None, None], [1, 1], None).tolist() == [
        Fate.KEPT, Fate.DUPLICATE, Fate.DUPLICATE, Fate.KEPT,
    ]  # fmt: skip
    assert not fates(items, "keep", [None, None], [1, 1], None).any()


def test_caps_are_a_draw_that_others_do_not_change() -> None:
    alone = staged([0] * 100, list(range(100)))
    chosen = fates(alone, "exact", [10], [1], None)
    assert (chosen == Fate.KEPT).sum() == 10
    assert (chosen == Fate.CAPPED).sum() == 90
    assert 20 < np.flatnonzero(chosen == Fate.KEPT).mean() < 80


def test_every_part_of_the_corpus_has_the_mixture_of_the_whole() -> None:
    items = staged([0] * 300 + [1] * 100 + [2] * 100, list(range(500)))
    placed = items.group[order(items, fates(items, "keep", [None] * 3, [1] * 3, None))]
    assert len(placed) == 500
    for start in range(0, 500, 50):
        part = np.bincount(placed[start : start + 50], minlength=3)
        assert abs(part[0] - 30) <= 1
        assert abs(part[1] - 10) <= 1


def test_a_sample_called_as_an_earlier_one_is_not_mixed_up_with_it() -> None:
    items = staged([0, 1], [1, 2])
    items.sample[1] = items.sample[0]
    assert fates(items, "exact", [None, None], [1, 1], None).tolist() == [Fate.KEPT, Fate.TAKEN]


def test_pictures_that_tell_nothing_are_twins_only_when_equal() -> None:
    items = staged([0, 0, 0], [1, 2, 3])
    items.identity[2] = items.identity[0]
    assert twins(items).tolist() == [items.identity[0], items.identity[1], items.identity[0]]


def test_weights_caps_and_size_in_a_build(recipe: Recipe, tmp_path: Path, samples: Path) -> None:
    other = write_samples(
        tmp_path / "other",
        [record(n, id=f"o/{n}", source="other", image=f"p/{100 + n}.png") for n in range(12)],
    )
    for n in range(12):  # pictures of its own
        from .conftest import noise

        noise(500 + n).save(other / f"p/{100 + n}.png")
    sources = [
        {"name": "samples", "root": str(samples), "weight": 3},
        {"name": "samples", "root": str(other), "as": "second", "weight": 1},
    ]
    corpus, manifest = built(recipe(sources=sources, size=40))
    assert [source["items"]["out"] for source in manifest["sources"]] == [30, 10]
    assert {item["source"] for item in items_of(corpus)} == {"drawn", "second"}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mistake_in_a_worker_is_the_users_line(recipe: Recipe, workers: int, samples: Path) -> None:
    from skymoe.errors import UserError

    (samples / "samples.jsonl").unlink()
    with pytest.raises(UserError):
        built(recipe(), workers=workers)
