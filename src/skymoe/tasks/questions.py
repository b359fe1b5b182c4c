"""Questions about a picture: what they ask, and the many ways to ask the same.

A question in one of the known families (presence, count, theme, location, scene) is recognised by its own
words, so that the dataset's questions and derived ones are reworded alike; any other keeps its words.
"""

from __future__ import annotations

import re
from random import Random

from skymoe.tasks.wording import article, loosen, pluralise, singularise, synonyms, with_article

SUFFIX = "Answer the question using a single word or phrase."
_SUFFIXES = (
    SUFFIX,
    "Answer with a single word or phrase.",
    "Answer in one word or a short phrase.",
    "Answer briefly.",
    "Give a short answer.",
    "Reply with one word or a short phrase.",
)
# These have an answer of another form in another task (digits, a box): the suffix tells the two apart.
_SUFFIX_NEEDED = ("count", "location")

_PLACE = r"(?:this|the) (?:image|picture|photo|scene)"
_IN = rf"(?: (?:in|on|from) {_PLACE})?"
_FAMILIES = (
    ("theme", rf"what(?: is|'s) the (?:theme|topic|subject)(?: of {_PLACE})?()"),
    ("scene", r"is this (?:an? )?(.+?) scene"),
    ("presence", rf"does {_PLACE} (?:contain|show|have) (?:an? |any |the )?(.+?)"),
    ("presence", rf"(?:is|are) there (?:an? |any )?(.+?){_IN}"),
    ("presence", rf"(?:can|do) you see (?:an? |any )?(.+?){_IN}"),
    ("presence", rf"any (.+?)(?: here|{_IN})"),
    ("location", rf"what(?: is|'s) the location of (?:the )?(.+?){_IN}"),
    ("count", rf"how many (.+?)(?: are there| are| is there| is)?{_IN}"),
)
_PATTERNS = tuple((family, re.compile(pattern, re.IGNORECASE)) for family, pattern in _FAMILIES)

_WORDINGS = {
    "presence": (
        "Is there {one} in this image?",
        "Is there {one} in the picture?",
        "Is there {one} here?",
        "Are there any {many} in this image?",
        "Are there {many} in the picture?",
        "Are there any {many}?",
        "Any {many}?",
        "Any {many} here?",
        "Does this picture contain {one}?",
        "Does this picture contain {many}?",
        "Does the image show any {many}?",
        "Does this image contain any {many}?",
        "Can you see {one}?",
        "Can you see any {many} here?",
        "Do you see {many} in this image?",
        "Is {one} visible?",
    ),
    "theme": (
        "What is the theme of this picture?",
        "What is the theme of this image?",
        "What is the theme?",
        "What's the theme of this picture?",
        "Theme?",
        "Theme of the picture?",
        "What theme does this picture have?",
        "What is the topic of this picture?",
        "What is the subject of this picture?",
        "Which theme does the image have?",
        "Name the theme of this picture.",
        "Tell me the theme of the image.",
        "Which theme fits this picture?",
    ),
    "scene": (
        "Is this {a_scene} scene?",
        "Does this image show {a_scene} scene?",
        "Does the picture show {a_scene} scene?",
        "Is the scene {scene}?",
        "Is it {a_scene} scene?",
        "Would you call this scene {scene}?",
        "Could this be {a_scene} scene?",
        "Is {scene} the theme of this picture?",
        "Is this image of the class {scene}?",
        "Does this picture belong to the scene {scene}?",
        "Is this {scene}?",
        "{scene}, yes or no?",
    ),
    "count": (
        "How many {many} in the picture?",
        "How many {many} are in the picture?",
        "How many {many} are there in this image?",
        "How many {many} are there?",
        "How many {many} can you see?",
        "How many {many}?",
        "What is the number of {many} in the picture?",
        "Count the {many} in the picture.",
        "Number of {many}?",
    ),
    "location": (
        "What is the location of the {noun} in this picture?",
        "What is the location of the {noun}?",
        "What's the location of the {noun} in the image?",
        "Where in the picture {be} the {noun}?",
        "In which part of the picture {be} the {noun}?",
        "Which part of the image shows the {noun}?",
        "Which part of the picture contains the {noun}?",
        "The {noun}: in which part of the picture?",
        "Tell me in which part of the image the {noun} {be}.",
        "In this picture, where {be} the {noun}?",
    ),
}


def read_question(text: str) -> tuple[str, str] | None:
    """The family of a question and the noun in it, as written: ("presence", "trees"); None for others."""
    plain = " ".join(text.split()).rstrip("?.! ")
    for family, pattern in _PATTERNS:
        if match := pattern.fullmatch(plain):
            noun = match.group(1).strip().lower()
            # RSIVQA leaves the noun out of some questions ("How many  in the picture?").
            if family != "theme" and (not noun or re.match(r"(in|on|from) (this|the) ", noun + " ")):
                return None
            return family, noun
    return None


def counted_noun(question: str) -> str | None:
    """The singular name of what a "how many" question counts, or None."""
    known = read_question(question)
    return singularise(known[1]) if known and known[0] == "count" else None


def presence_question(name: str) -> str:
    """The canonical question whether an object is there."""
    return f"Is there {with_article(name)} in this image?"


def scene_question(label: str) -> str:
    """The canonical question whether the picture shows this scene: "Is this a storage tank scene?"."""
    one = singularise(label)
    return f"Is this {article(one)} {one} scene?"


def reword(question: str, rng: Random) -> str:
    """The same question in other words where its family is known, with or without a suffix."""
    known = read_question(question)
    family, noun = known or ("", "")
    suffix = rng.choice(_SUFFIXES) if rng.random() < 0.4 else ""
    if family in _SUFFIX_NEEDED:
        suffix = SUFFIX
    text = question
    if family and rng.random() < 0.85:
        one = singularise(noun)
        if family == "presence" and rng.random() < 0.25:
            one = rng.choice(synonyms(one))
        text = rng.choice(_WORDINGS[family]).format(
            noun=noun,
            one=with_article(one),
            many=pluralise(one),
            be="is" if one == noun else "are",
            scene=noun,
            a_scene=f"{article(noun)} {noun}",
        )
        text = text[:1].upper() + text[1:]
    text = loosen(text, rng, keep_end=bool(suffix))
    return with_suffix(text, suffix) if suffix else text


def with_suffix(question: str, suffix: str = SUFFIX) -> str:
    """The question and, as a sentence of its own, how to answer it."""
    if question.endswith(suffix):
        return question
    return f"{question} {suffix}" if question.endswith((".", "?", "!", ":")) else f"{question}? {suffix}"
