"""Scene labels: one plain display form for every class, and finding labels in text.

Labels are matched case-, underscore-, hyphen-, space- and camelCase-insensitively, as whole words; where two
overlap the longer wins ("railway station" over "railway").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from skymoe.tasks.wording import KEPT_WORDS

# As the folders of AID are called, taken apart; "center" and "parking" are AID's own words.
AID_LABELS = (
    "airport", "bare land", "baseball field", "beach", "bridge", "center", "church", "commercial",
    "dense residential", "desert", "farmland", "forest", "industrial", "meadow", "medium residential",
    "mountain", "park", "parking", "playground", "pond", "port", "railway station", "resort", "river",
    "school", "sparse residential", "square", "stadium", "storage tanks", "viaduct",
)  # fmt: skip
UCM_LABELS = (
    "agricultural", "airplane", "baseball diamond", "beach", "buildings", "chaparral", "dense residential",
    "forest", "freeway", "golf course", "harbor", "intersection", "medium residential", "mobile home park",
    "overpass", "parking lot", "river", "runway", "sparse residential", "storage tanks", "tennis court",
)  # fmt: skip
TRAINED_LABELS = tuple(sorted({*AID_LABELS, *UCM_LABELS}))

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def label_words(text: str) -> list[str]:
    """Lower-case words; camelCase, underscores, hyphens and punctuation separate them."""
    return _WORD.findall(_CAMEL.sub(" ", unicodedata.normalize("NFKC", text)).lower())


@lru_cache(KEPT_WORDS)
def label_key(label: str) -> str:
    """What all spellings of a label share: "Storage_Tanks", "storage tanks" → "storagetanks"."""
    return "".join(label_words(label))


_DISPLAY = {label_key(name): name for name in TRAINED_LABELS}


def display_label(label: str) -> str:
    """The label in plain words: "RailwayStation" → "railway station", "tenniscourt" → "tennis court"."""
    return _DISPLAY.get(label_key(label)) or " ".join(label_words(label))


def same_label(a: str, b: str) -> bool:
    """Whether two spellings mean one label."""
    return label_key(a) == label_key(b)


_KNOWN_LISTS = [{label_key(name) for name in names} for names in (AID_LABELS, UCM_LABELS, TRAINED_LABELS)]


def is_trained(labels: Iterable[str]) -> bool:
    """Whether these are, as a set, the labels of AID, of UCM or of both: the lists nano knows by heart."""
    return {label_key(label) for label in labels} in _KNOWN_LISTS


def find_labels(text: str, labels: Sequence[str]) -> tuple[str, ...]:
    """The different labels in ``text`` as whole words, in reading order and in the caller's spelling."""
    spelling: dict[str, str] = {}
    for label in labels:
        if key := label_key(label):
            spelling.setdefault(key, label)
    longest = max(map(len, spelling), default=0)
    words = label_words(text)
    spans: list[tuple[int, int, str]] = []
    for start in range(len(words)):
        joined = ""
        for end in range(start, len(words)):
            joined += words[end]
            if len(joined) > longest:
                break
            if joined in spelling:
                spans.append((start, end, joined))
    # Longest first: what overlaps a longer label is part of it, not a label of its own.
    free = [True] * len(words)
    kept: list[tuple[int, str]] = []
    for start, end, key in sorted(spans, key=lambda span: (-len(span[2]), span[0])):
        if all(free[start : end + 1]):
            free[start : end + 1] = [False] * (end + 1 - start)
            kept.append((start, key))
    return tuple(dict.fromkeys(spelling[key] for _, key in sorted(kept)))
