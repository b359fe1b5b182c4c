"""Scene labels: one plain display form for every class, and finding labels in text.

Labels are matched case-, underscore-, hyphen-, space- and camelCase-insensitively, as whole words; where two overlap
the longer wins ("railway station" over "railway").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_AID = (
    "Airport BareLand BaseballField Beach Bridge Center Church Commercial DenseResidential Desert Farmland Forest "
    "Industrial Meadow MediumResidential Mountain Park Parking Playground Pond Port RailwayStation Resort River School "
    "SparseResidential Square Stadium StorageTanks Viaduct"
).split()
# Written out because the official names run words together.
_UCM_DISPLAY = (
    "agricultural", "airplane", "baseball diamond", "beach", "buildings", "chaparral", "dense residential", "forest",
    "freeway", "golf course", "harbor", "intersection", "medium residential", "mobile home park", "overpass",
    "parking lot", "river", "runway", "sparse residential", "storage tanks", "tennis court",
)  # fmt: skip

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def label_words(text: str) -> list[str]:
    """Lower-case words; camelCase, underscores, hyphens and punctuation separate them."""
    return _WORD.findall(_CAMEL.sub(" ", unicodedata.normalize("NFKC", text)).lower())


def label_key(label: str) -> str:
    """What two spellings of one label share: "Storage_Tanks", "storagetanks" and "storage tanks" → "storagetanks"."""
    return "".join(label_words(label))


AID_LABELS = tuple(" ".join(label_words(name)) for name in _AID)
UCM_LABELS = _UCM_DISPLAY
TRAINED_LABELS = tuple(sorted({*AID_LABELS, *UCM_LABELS}))
_DISPLAY = {label_key(name): name for name in TRAINED_LABELS}


def display_label(label: str) -> str:
    """The label in plain lower-case words: "RailwayStation" → "railway station", "tenniscourt" → "tennis court"."""
    return _DISPLAY.get(label_key(label)) or " ".join(label_words(label))


def same_label(a: str, b: str) -> bool:
    """Whether two spellings mean one label."""
    return label_key(a) == label_key(b)


def is_trained(labels: Iterable[str]) -> bool:
    """Whether these are, as a set, the labels of AID, of UCM or of both: lists nano knows without being told."""
    keys = {label_key(label) for label in labels}
    return any(keys == {label_key(name) for name in known} for known in (AID_LABELS, UCM_LABELS, TRAINED_LABELS))


def find_labels(text: str, labels: Sequence[str]) -> tuple[str, ...]:
    """The different labels that stand in ``text`` as whole words, in reading order and in the caller's spelling."""
    keys: dict[str, str] = {}
    for label in labels:
        if key := label_key(label):
            keys.setdefault(key, label)
    longest = max(map(len, keys), default=0)
    words = label_words(text)
    spans: list[tuple[int, int, str]] = []
    for start in range(len(words)):
        joined = ""
        for end in range(start, len(words)):
            joined += words[end]
            if len(joined) > longest:
                break
            if joined in keys:
                spans.append((start, end, joined))
    # Longest first: what overlaps a longer label is part of it, not a label of its own.
    taken: list[tuple[int, int, str]] = []
    for start, end, key in sorted(spans, key=lambda s: (-len(s[2]), s[0])):
        if all(end < other[0] or start > other[1] for other in taken):
            taken.append((start, end, key))
    return tuple(dict.fromkeys(keys[key] for _, _, key in sorted(taken)))
