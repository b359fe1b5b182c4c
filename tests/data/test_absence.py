"""What is called absent is absent: the tables agree with the captions people wrote, and with the scene
itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from skymoe.data.absence import AID, UCM, WORDS, absent_objects, named_objects
from skymoe.data.sources import get_source
from skymoe.data.sources.rsicd import CLASSES as AID_CLASSES
from skymoe.data.sources.ucm_captions import CLASSES as UCM_CLASSES
from skymoe.tasks import get_task
from skymoe.tasks.labels import AID_LABELS, UCM_LABELS, display_label


def test_tables_name_known_scenes_and_known_objects() -> None:
    assert tuple(UCM) == UCM_CLASSES
    assert [display_label(label) for label in AID_CLASSES] == list(AID_LABELS)
    assert [display_label(label) for label in UCM_CLASSES] == list(UCM_LABELS)
    for table in (AID, UCM):
        for names in table.values():
            listed = names.split(", ")
            assert set(listed) <= set(WORDS)
            assert len(listed) == len(set(listed))


def test_what_the_scene_is_called_after_is_never_absent() -> None:
    for table in (AID, UCM):
        for label in table:
            absent = absent_objects(table, label)
            assert not named_objects(display_label(label)) & absent, label


def test_what_the_texts_name_is_struck() -> None:
    assert {"ship", "boat", "airplane", "plane"} <= absent_objects(AID, "Desert")
    assert not {"airplane", "plane"} & absent_objects(AID, "Desert", ["Two aircraft crossed the desert ."])
    assert "ship" not in absent_objects(UCM, "forest", ["a yacht", "some trees"])
    assert absent_objects(AID, "Nowhere") == frozenset()


def test_presence_derived_from_the_scene_never_contradicts_absence(miniatures: Path) -> None:
    for name in ("ucm-captions", "rsicd", "aid"):
        for sample in get_source(name, miniatures).samples("train"):
            yes = [q for q in get_task("vqa").queries(sample) if q.kind == "presence" and q.target == "yes"]
            for query in yes:
                assert not named_objects(query.subject or "") & sample.absent


@pytest.mark.data
@pytest.mark.parametrize(("name", "table"), [("rsicd", AID), ("ucm-captions", UCM)])
def test_real_captions_hardly_ever_name_what_the_table_calls_absent(
    name: str, table: dict, real: Path
) -> None:
    source = get_source(name, real)
    if not source.state().found:
        pytest.skip(f"no {name} in {real}")
    pictures: Counter[str] = Counter()
    named: Counter[tuple[str, str]] = Counter()
    for sample in source.samples("train"):
        assert sample.label
        pictures[sample.label] += 1
        said = named_objects(" ".join(sample.captions))
        assert not said & sample.absent
        named.update((sample.label, thing) for thing in said & set(table[sample.label].split(", ")))
    # Those few are "green planes" (plants), "a cylindrical church", "a pool in this desert" (an oasis).
    assert sum(named.values()) <= 25
    assert all(times <= 0.015 * pictures[label] for (label, _), times in named.items()), named
