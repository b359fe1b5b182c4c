"""English small change: plural and singular of object names, "a" or "an", and how loosely people type."""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random

_IRREGULAR = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "foot": "feet", "bus": "buses",
    "gas": "gases", "lens": "lenses", "axis": "axes", "leaf": "leaves", "wharf": "wharves",
    "shelf": "shelves", "half": "halves", "campus": "campuses",
}  # fmt: skip
_SAME_IN_BOTH = {
    "aircraft", "spacecraft", "hovercraft", "watercraft", "sheep", "fish", "deer", "series", "species",
    "barracks", "headquarters", "works",
}  # fmt: skip
_UNCOUNTABLE = {"water", "grass", "land", "vegetation", "chaparral", "traffic", "farmland", "sand", "snow"}
_SINGULAR = {plural: one for one, plural in _IRREGULAR.items()}
_ONE_FORM = _SAME_IN_BOTH | _UNCOUNTABLE | set(_IRREGULAR)
# "car on the road": the car is what there can be many of.
_HEAD_ENDS = re.compile(r"\s(?:of|in|on|at|near|with|by|from|along|under|next|between|beside|behind)\s")

# What people also call these objects. Only names that mean the same thing, so that answers stay true.
_SYNONYMS = (
    ("storage tank", "tank", "oil tank"),
    ("airplane", "plane", "aeroplane"),
    ("harbor", "harbour"),
    ("roundabout", "traffic circle"),
    ("ship", "vessel"),
)
_GROUP = {name: group for group in _SYNONYMS for name in group}
# A corpus asks for the same few hundred names a million times.
KEPT_WORDS = 4096


def pluralise(name: str) -> str:
    """The plural of a singular object name: "tennis court" → "tennis courts", "bus" → "buses"."""
    before, word, after = _head(name)
    lower = word.lower()
    if lower in _IRREGULAR:
        plural = _IRREGULAR[lower]
    elif lower in _SAME_IN_BOTH | _UNCOUNTABLE or lower in _SINGULAR or not lower:
        return name
    elif re.search(r"(s|x|z|ch|sh)$", lower):
        plural = lower + "es"
    elif re.search(r"[^aeiou]y$", lower):
        plural = lower[:-1] + "ies"
    else:
        plural = lower + "s"
    return before + _in_case_of(word, plural) + after


@lru_cache(KEPT_WORDS)
def singularise(name: str) -> str:
    """The singular of an object name; one that is singular stays: "ships" → "ship", "bus" → "bus"."""
    before, word, after = _head(name)
    lower = word.lower()
    if lower in _SINGULAR:
        one = _SINGULAR[lower]
    elif (
        lower in _ONE_FORM or len(lower) < 4 or not lower.endswith("s") or lower.endswith(("ss", "us", "is"))
    ):
        return name
    elif re.search(r"[^aeiou]ies$", lower):
        one = lower[:-3] + "y"
    elif re.search(r"(ch|sh|x|ss)es$", lower):
        one = lower[:-2]
    else:
        one = lower[:-1]
    return before + _in_case_of(word, one) + after


def with_article(name: str) -> str:
    """The name with its article, "a storage tank", "an airplane"; plurals and mass nouns take none."""
    if _head(name)[1].lower() in _UNCOUNTABLE or singularise(name).lower() != name.lower():
        return name
    return f"{article(name)} {name}"


@lru_cache(KEPT_WORDS)
def article(name: str) -> str:
    """Which article, "a" or "an", by sound where the spelling misleads: "a university", "an hour"."""
    lower = name.lower().lstrip()
    if re.match(r"(universit|uniform|union|unit|unique|use|using|usual|util|eu|one\b|once|u-|urani)", lower):
        return "a"
    if re.match(r"(hour|honest|heir|x-ray|[lsrnfmh]-)", lower):
        return "an"
    return "an" if lower[:1] in ("a", "e", "i", "o", "u") else "a"


def synonyms(name: str) -> tuple[str, ...]:
    """The singular names people use for this object, the given one first."""
    return (name, *(other for other in _GROUP.get(name, ()) if other != name))


@lru_cache(KEPT_WORDS)
def same_object(a: str, b: str) -> bool:
    """Whether two singular names mean one class of objects: "storage tank", "Storage-Tank" and "tank" do."""
    first, second = (" ".join(re.split(r"[\s_-]+", name.strip().lower())) for name in (a, b))
    return first == second or second in _GROUP.get(first, ())


def loosen(text: str, rng: Random, keep_end: bool = False) -> str:
    """The same words as a hurried person types them: without capital or closing mark, or with a "please".

    ``keep_end`` keeps the closing mark, for text to which a sentence is appended.
    """
    bare, small, polite = rng.random() < 0.35, rng.random() < 0.35, rng.random() < 0.08
    if bare and not keep_end:
        text = text.rstrip("?.! ")
    if (small or polite) and not text[:2].isupper():
        text = text[:1].lower() + text[1:]
    return f"please {text}" if polite and text[:1].isalpha() else text


def _head(name: str) -> tuple[str, str, str]:
    """What stands before the head noun, the head noun, and what follows it."""
    name = name.strip()
    end = match.start() if (match := _HEAD_ENDS.search(name)) else len(name)
    start = max(name.rfind(" ", 0, end), name.rfind("-", 0, end)) + 1
    return name[:start], name[start:end], name[end:]


def _in_case_of(word: str, replacement: str) -> str:
    if word.isupper() and len(word) > 1:
        return replacement.upper()
    return replacement.capitalize() if word[:1].isupper() else replacement
