"""What is surely not in a picture, from its scene label: the honest source of "no" and "0".

A desert has no storage tanks, a storm of questions "how many storage tanks …" with a number for an answer
teaches a model to see them there all the same. The table says for each scene which objects can be taken as
absent. It is conservative: an object stands there only if it is practically impossible in such a picture
*and* (nearly) no caption of the class in the training splits of RSICD and UCM-Captions names it; the tests
read the captions again. Where a caption or question of the very picture names the object, it is struck from
that picture's list.

The tables speak of the pictures of AID (several hundred metres wide) and UC Merced (about 80 m wide, where
one sees all there is) separately. "Ship" and "boat", "airplane" and "plane" are listed as two names of one
thing, because people ask for either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# The words by which a caption names the object (or something that might be it).
WORDS: dict[str, str] = {
    "airplane": r"(?:air|aero)?planes?|air ?crafts?|jets?",
    "baseball diamond": r"base ?ball ?\w*|diamonds?|softball",
    "boat": r"boats?|ships?|vessels?|yachts?|ferr(?:y|ies)|barges?|canoes?",
    "bridge": r"bridges?|viaducts?|over ?pass(?:es)?",
    "building": r"buildings?|houses?|homes?|cottages?|villas?|roofs?|residen\w+|blocks?|factor(?:y|ies)|hut(?:s|ches)?"
    r"|terminals?|church(?:es)?|schools?|cities|city|towns?|villages?",
    "car": r"cars?|vehicles?|trucks?|bus(?:es)?|lorr(?:y|ies)|vans?|traffic",
    "church": r"church(?:es)?|cathedrals?|chapels?|temples?|mosques?",
    "harbor": r"harbou?rs?|ports?|docks?|piers?|marinas?|wharfs?|wharves",
    "stadium": r"stadiums?|stadia|gym\w*|arenas?",
    "storage tank": r"tanks?|storages?|oil|silos?|cylind\w+",
    "swimming pool": r"pools?|swim\w*",
    "tennis court": r"tennis|courts?",
    "train": r"trains?|rail\w*|locomotives?",
}
_SAME_THING = {"boat": ("ship",), "airplane": ("plane",)}
_NAMED = {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in WORDS.items()}

_SPORT = "baseball diamond, stadium, tennis court"

AID: dict[str, str] = {
    "Airport": "baseball diamond, church, swimming pool",
    "BareLand": f"boat, bridge, church, harbor, storage tank, {_SPORT}",
    "BaseballField": "airplane, boat, harbor, storage tank",
    "Beach": f"airplane, church, storage tank, train, {_SPORT}",
    "Bridge": "airplane, stadium, storage tank",
    "Center": "airplane, storage tank",
    "Church": "airplane, baseball diamond, harbor, storage tank",
    "Commercial": "airplane, harbor, storage tank",
    "DenseResidential": "airplane, boat, harbor, stadium, storage tank",
    "Desert": f"airplane, boat, bridge, building, church, harbor, storage tank, swimming pool, train, {_SPORT}",
    "Farmland": "airplane, boat, church, harbor, stadium, swimming pool, tennis court",
    "Forest": f"airplane, boat, church, harbor, storage tank, swimming pool, {_SPORT}",
    "Industrial": "airplane, church, stadium, tennis court",
    "Meadow": f"airplane, boat, bridge, church, harbor, storage tank, {_SPORT}",
    "MediumResidential": "airplane, boat, harbor, stadium, storage tank",
    "Mountain": f"airplane, boat, church, harbor, storage tank, swimming pool, {_SPORT}",
    "Park": "airplane, harbor, storage tank",
    "Parking": "airplane, boat, harbor, storage tank, swimming pool",
    "Playground": "airplane, boat, harbor, storage tank",
    "Pond": "airplane, harbor, stadium",
    "Port": "airplane, baseball diamond, church",
    "RailwayStation": "airplane, storage tank, swimming pool",
    "Resort": "airplane, storage tank",
    "River": "airplane, baseball diamond, church, stadium, storage tank, tennis court, train",
    "School": "airplane, boat, harbor, storage tank",
    "SparseResidential": "airplane, harbor, stadium, storage tank",
    "Square": "airplane, harbor, storage tank",
    "Stadium": "airplane, boat, harbor, storage tank",
    "StorageTanks": "airplane, church, swimming pool, tennis court",
    "Viaduct": "airplane, boat, harbor",
}

_FAR = f"airplane, boat, bridge, church, harbor, storage tank, swimming pool, train, {_SPORT}"
_BUILT = "airplane, boat, bridge, harbor, storage tank, train, stadium, baseball diamond"

UCM: dict[str, str] = {
    "agricultural": f"{_FAR}, building, car",
    "airplane": "baseball diamond, boat, bridge, church, harbor, storage tank, swimming pool, tennis court, train",
    "baseballdiamond": "airplane, boat, bridge, church, harbor, storage tank, swimming pool, train",
    "beach": f"airplane, bridge, church, harbor, storage tank, swimming pool, train, {_SPORT}",
    "buildings": "airplane, baseball diamond, boat, bridge, harbor, storage tank, train",
    "chaparral": f"{_FAR}, building, car",
    "denseresidential": _BUILT,
    "forest": _FAR,
    "freeway": f"airplane, boat, church, harbor, storage tank, swimming pool, train, {_SPORT}",
    "golfcourse": f"airplane, boat, church, harbor, storage tank, train, {_SPORT}",
    "harbor": f"airplane, church, storage tank, train, {_SPORT}",
    "intersection": "airplane, boat, harbor, stadium, storage tank, baseball diamond",
    "mediumresidential": _BUILT,
    "mobilehomepark": f"{_BUILT}, church",
    "overpass": f"airplane, boat, church, harbor, storage tank, swimming pool, {_SPORT}",
    "parkinglot": f"airplane, boat, bridge, church, harbor, storage tank, swimming pool, train, {_SPORT}",
    "river": f"airplane, church, harbor, storage tank, swimming pool, train, {_SPORT}",
    "runway": f"boat, bridge, church, harbor, storage tank, swimming pool, train, {_SPORT}",
    "sparseresidential": _BUILT,
    "storagetanks": f"airplane, boat, bridge, church, harbor, swimming pool, {_SPORT}",
    "tenniscourt": "airplane, boat, bridge, harbor, storage tank, train, baseball diamond",
}


def absent_objects(table: dict[str, str], label: str, texts: Iterable[str] = ()) -> frozenset[str]:
    """The names of objects that are surely not in a picture of scene `label`.

    `table` is `AID` or `UCM`; `texts` are the picture's own captions and answers: what they name is not
    absent.
    """
    names = table.get(label, "")
    said = " ".join(texts)
    absent = [name for name in names.split(", ") if name and not _NAMED[name].search(said)]
    return frozenset(alias for name in absent for alias in (name, *_SAME_THING.get(name, ())))


def named_objects(text: str) -> frozenset[str]:
    """Which of the objects of `WORDS` the text may be naming."""
    return frozenset(name for name, pattern in _NAMED.items() if pattern.search(text))
