"""English small change: plural and singular of object names, "a" or "an", and the looseness of people's typing."""

from __future__ import annotations

import re
from random import Random

_IRREGULAR = {
    "aircraft": "aircraft", "spacecraft": "spacecraft", "hovercraft": "hovercraft", "watercraft": "watercraft",
    "sheep": "sheep", "fish": "fish", "deer": "deer", "person": "people", "man": "men", "woman": "women",
    "child": "children", "foot": "feet", "roof": "roofs", "chief": "chiefs", "quay": "quays", "photo": "photos",
    "piano": "pianos", "silo": "silos", "bus": "buses", "gas": "gases", "axis": "axes", "leaf": "leaves",
    "wharf": "wharves", "shelf": "shelves", "half": "halves", "knife": "knives", "loaf": "loaves", "wolf": "wolves",
}  # fmt: skip
_SINGULAR = {plural: one for one, plural in _IRREGULAR.items()}
# Never in the plural form, or the same in both.
_UNCOUNTABLE = {"water", "grass", "land", "vegetation", "chaparral", "traffic", "farmland", "forest land", "sand"}


def pluralise(name: str) -> str:
    """The plural of an object name; the last word carries it: "tennis court" → "tennis courts"."""
    head, last = _split(name)
    lower = last.lower()
    if lower in _IRREGULAR:
        plural = _IRREGULAR[lower]
    elif lower in _SINGULAR or lower in _UNCOUNTABLE or not lower:
        plural = lower
    elif re.search(r"(s|x|z|ch|sh)$", lower):
        plural = lower + "es"
    elif re.search(r"[^aeiou]y$", lower):
        plural = lower[:-1] + "ies"
    else:
        plural = lower + "s"
    return head + _like(plural, last)


def singularise(name: str) -> str:
    """The singular of an object name; a name that is singular already stays: "bus" → "bus", "ships" → "ship"."""
    head, last = _split(name)
    lower = last.lower()
    if lower in _SINGULAR:
        one = _SINGULAR[lower]
    elif lower in _IRREGULAR or lower in _UNCOUNTABLE or re.search(r"(ss|us|is)$", lower) or len(lower) < 4:
        one = lower
    elif re.search(r"[^aeiou]ies$", lower):
        one = lower[:-3] + "y"
    elif re.search(r"(ch|sh|x|z|ss|us)es$", lower):
        one = lower[:-2]
    else:
        one = lower[:-1] if lower.endswith("s") else lower
    return head + _like(one, last)


def article(name: str) -> str:
    """"a" or "an", by sound where the spelling misleads ("a university", "an hour")."""
    lower = name.lower().lstrip()
    if re.match(r"(uni([^n]|$)|use|usu|util|eu|one\b|ut|ur[ai])", lower):
        return "a"
    if re.match(r"(hour|honest|heir|x-ray|l-shaped|s-shaped|u-shaped)", lower):
        return "a" if lower.startswith("u-") else "an"
    return "an" if lower[:1] in tuple("aeiou") else "a"


def with_article(name: str) -> str:
    """"a storage tank", "an airplane"; names in the plural and mass nouns take none."""
    last = _split(name)[1].lower()
    if last in _UNCOUNTABLE or singularise(name).lower() != name.lower():
        return name
    return f"{article(name)} {name}"


def loosen(text: str, rng: Random) -> str:
    """The same words as a hurried person types them: no capital, no closing mark, a "please"."""
    if rng.random() < 0.35:
        text = text.rstrip("?.! ")
    if rng.random() < 0.35:
        text = text[:1].lower() + text[1:]
    if rng.random() < 0.08:
        text = f"please {text[:1].lower()}{text[1:]}" if text[:1].isalpha() else text
    return text


def _split(name: str) -> tuple[str, str]:
    match = re.search(r"[^\s-]*$", name.rstrip())
    assert match is not None
    return name.rstrip()[: match.start()], match.group()


def _like(word: str, pattern: str) -> str:
    return word.upper() if pattern.isupper() and len(pattern) > 1 else word


# What people also call these objects. Only names that mean the same thing, so that answers stay true.
_SYNONYMS = (
    ("storage tank", "tank", "oil tank"),
    ("airplane", "plane", "aeroplane"),
    ("harbor", "harbour"),
    ("roundabout", "traffic circle"),
    ("ship", "vessel"),
)
_SAME = {name: group for group in _SYNONYMS for name in group}


def synonyms(name: str) -> tuple[str, ...]:
    """The singular names people use for this object, the given one first."""
    return (name, *(other for other in _SAME.get(name, ()) if other != name))


def same_object(a: str, b: str) -> bool:
    """Whether two singular names mean one class of objects: "storage tank", "Storage-Tank" and "tank" do."""
    plain = [" ".join(re.split(r"[\s_-]+", name.strip().lower())) for name in (a, b)]
    return plain[0] == plain[1] or plain[1] in _SAME.get(plain[0], ())
