"""Plurals, articles and synonyms of the object names of the field's datasets."""

from __future__ import annotations

from random import Random

import pytest

from skymoe.tasks.wording import article, loosen, pluralise, same_object, singularise, synonyms, with_article

PLURALS = {
    "bridge": "bridges",
    "tennis court": "tennis courts",
    "ground track field": "ground track fields",
    "bus": "buses",
    "aircraft": "aircraft",
    "overpass": "overpasses",
    "beach": "beaches",
    "church": "churches",
    "box": "boxes",
    "ferry": "ferries",
    "chimney": "chimneys",
    "quay": "quays",
    "house": "houses",
    "person": "people",
    "wharf": "wharves",
    "roof": "roofs",
    "campus": "campuses",
    "gas tank": "gas tanks",
    "car on the road": "cars on the road",
    "point of interest": "points of interest",
    "T-junction": "T-junctions",
    "water": "water",
}


@pytest.mark.parametrize(("one", "many"), PLURALS.items())
def test_plural_and_back(one: str, many: str) -> None:
    assert pluralise(one) == many
    assert singularise(many) == one


# DOTA-v2, DIOR, NWPU VHR-10, RSOD, HRRSD, VisDrone.
CLASSES = (
    "plane, ship, storage tank, baseball diamond, tennis court, basketball court, ground track field, harbor, "
    "bridge, large vehicle, small vehicle, helicopter, roundabout, soccer ball field, swimming pool, "
    "container crane, airport, helipad, chimney, dam, expressway service area, expressway toll station, "
    "golf field, overpass, stadium, train station, vehicle, windmill, oil tank, playground, crossroad, "
    "T junction, parking lot, pedestrian, person, bicycle, car, van, truck, tricycle, awning-tricycle, bus, motor"
)


@pytest.mark.parametrize("name", CLASSES.split(", "))
def test_the_classes_of_the_counting_datasets(name: str) -> None:
    assert singularise(name) == name
    assert pluralise(name) != name
    assert singularise(pluralise(name)) == name


@pytest.mark.parametrize("name", ["bus", "gas", "grass", "tennis", "chassis", "lens", "airbus", "barracks"])
def test_a_singular_in_s_stays(name: str) -> None:
    assert singularise(name) == name


def test_capitals_stay() -> None:
    assert pluralise("Bus") == "Buses"
    assert singularise("STORAGE TANKS") == "STORAGE TANK"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("storage tank", "a storage tank"),
        ("airplane", "an airplane"),
        ("overpass", "an overpass"),
        ("university", "a university"),
        ("unidentified object", "an unidentified object"),
        ("hourglass", "an hourglass"),
        ("European car", "a European car"),
        ("L-shaped building", "an L-shaped building"),
        ("trees", "trees"),
        ("water", "water"),
    ],
)
def test_articles_by_sound(name: str, expected: str) -> None:
    assert with_article(name) == expected


def test_article_alone() -> None:
    assert (article("ship"), article("airport")) == ("a", "an")


def test_synonyms_mean_the_same_class() -> None:
    assert synonyms("storage tank") == ("storage tank", "tank", "oil tank")
    assert synonyms("bridge") == ("bridge",)
    assert same_object("Storage-Tank", "tank")
    assert same_object("plane", "airplane")
    assert not same_object("ship", "boat")


def test_loosening_changes_no_word_and_can_keep_the_end() -> None:
    seen = {loosen("How many ships?", Random(seed)) for seed in range(200)}
    assert {text.lower().removeprefix("please ").rstrip("?") for text in seen} == {"how many ships"}
    assert len(seen) >= 5
    assert all(loosen("Count them.", Random(seed), keep_end=True).endswith(".") for seed in range(50))
    assert not any(loosen("[refer] x", Random(seed)).startswith("please") for seed in range(200))
