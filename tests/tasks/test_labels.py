"""Scene labels: display forms of AID and UCM, and whole labels found in text."""

from __future__ import annotations

import pytest

from skymoe.tasks.labels import (
    AID_LABELS,
    TRAINED_LABELS,
    UCM_LABELS,
    display_label,
    find_labels,
    is_trained,
    same_label,
)

AID_FOLDERS = (
    "Airport BareLand BaseballField Beach Bridge Center Church Commercial DenseResidential Desert Farmland "
    "Forest Industrial Meadow MediumResidential Mountain Park Parking Playground Pond Port RailwayStation Resort "
    "River School SparseResidential Square Stadium StorageTanks Viaduct"
)
UCM_FOLDERS = (
    "agricultural airplane baseballdiamond beach buildings chaparral denseresidential forest freeway golfcourse "
    "harbor intersection mediumresidential mobilehomepark overpass parkinglot river runway sparseresidential "
    "storagetanks tenniscourt"
)


def test_every_class_of_aid_and_ucm_has_its_plain_words() -> None:
    assert tuple(map(display_label, AID_FOLDERS.split())) == AID_LABELS
    assert tuple(map(display_label, UCM_FOLDERS.split())) == UCM_LABELS
    assert (len(AID_LABELS), len(UCM_LABELS)) == (30, 21)
    assert set(TRAINED_LABELS) == {*AID_LABELS, *UCM_LABELS}


@pytest.mark.parametrize(
    "spelling", ["StorageTanks", "storagetanks", "storage_tanks", "Storage-Tanks", "STORAGE TANKS"]
)
def test_all_spellings_are_one_label(spelling: str) -> None:
    assert display_label(spelling) == "storage tanks"
    assert same_label(spelling, "storage tanks")


def test_unknown_labels_are_taken_apart_as_they_are_written() -> None:
    assert display_label("ground_track_field") == "ground track field"
    assert display_label("OilRefinery") == "oil refinery"


@pytest.mark.parametrize(
    ("text", "labels", "found"),
    [
        ("RailwayStation", ("railway", "railway station"), ("railway station",)),
        ("a railway station near a railway", ("railway", "railway station"), ("railway station", "railway")),
        ("It is a parking-lot.", ("parking", "parking lot", "park"), ("parking lot",)),
        ("sparking", ("park", "parking"), ()),
        ("airports", ("airport",), ()),
        ("DENSE_RESIDENTIAL", ("DenseResidential", "SparseResidential"), ("DenseResidential",)),
        ("denseresidential", ("Dense Residential",), ("Dense Residential",)),
        ("river, river and River", ("river",), ("river",)),
        ("beach or river", ("river", "beach"), ("beach", "river")),
        ("harbour", (), ()),
        ("", ("river",), ()),
        ("river", ("", "river", "River"), ("river",)),
        ("这是 机场", ("机场",), ("机场",)),
    ],
)
def test_finding_labels(text: str, labels: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert find_labels(text, labels) == found


def test_the_lists_nano_knows() -> None:
    assert is_trained(AID_FOLDERS.split())
    assert is_trained(reversed(UCM_LABELS))
    assert is_trained(TRAINED_LABELS)
    assert not is_trained(["airport", "beach"])
    assert not is_trained([])
