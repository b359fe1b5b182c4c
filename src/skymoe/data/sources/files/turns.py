"""One question of a conversation and its answer: what they tell of the picture.

GeoChat marks its turns, `[refer]`, `[grounding]`, `[identify]`; others only phrase them. What is a caption, a
scene, or the place of one object becomes that; all else stays a question, its boxes in GeoChat's notation.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from skymoe.boxes import SCALES, Box, format_box, parse_boxes
from skymoe.data.sources.objects import DamagedError
from skymoe.sample import Expression, Question
from skymoe.tasks.labels import same_label
from skymoe.tasks.questions import read_question

LONGEST = 8000
"""Characters of a turn; what is longer is no turn."""

_NUMBER = r"\s*[-+]?(?:\d+\.?\d*|\.\d+)\s*"
_SPAN = re.compile(
    r"<\|box_start\|>.*?<\|box_end\|>|<box>.*?</box>|\{[^{}\w]*<[^{}]*\}"
    rf"|(?:<{_NUMBER}>[\s,]*){{4}}"
    rf"|[\[(]{_NUMBER}(?:,{_NUMBER}){{3}}[\])]"
    rf"|[\[(]{_NUMBER},{_NUMBER}[\])]\s*,?\s*[\[(]{_NUMBER},{_NUMBER}[\])]",
    re.DOTALL,
)
_SPAN_MARKS = re.compile(r"<\|box_(?:start|end)\|>|</?box>")
_TAG = re.compile(r"\[([a-z_]+)\]\s*", re.IGNORECASE)
_SHORT = re.compile(
    r"\s*\banswer(?: the question)? (?:using|with|in) (?:a single|one) word or (?:a )?(?:short )?phrase\.?$",
    re.IGNORECASE,
)
_DESCRIBE = re.compile(
    r"(?:please |can you |could you )*(?:(?:describe|caption|summari[sz]e)\b(?=.*\b(?:image|picture|photo|scene)|\W*$)"
    r"|(?:give|write|provide|generate)\b.*\b(?:caption|description)|what do you see\b)",
    re.IGNORECASE,
)
_SCENES = re.compile(r"\bclassif|\bscene|\bcategor|\bland.?use|\bclass\b", re.IGNORECASE)
_LISTED = re.compile(
    r"(?:classes|categories|options|labels|choose from|one of)[^:]{0,60}:\s*(.+)", re.I | re.S
)
_MARKED = re.compile(
    r"<p>(.*?)</p>|<ref>(.*?)</ref>|<\|object_ref_start\|>(.*?)<\|object_ref_end\|>|"
    r"(?:describes|described|expression|phrase|object|region|referring to)\s*:\s*(.+)$",
    re.IGNORECASE | re.DOTALL,
)
_ASKED = re.compile(
    r"(?:please )?(?:where(?: is|'s| are)|locate|find|point to|mark|detect|ground|box|show(?: me)?"
    r"|(?:give|output|provide|what (?:is|are))(?: me)?(?: the)? (?:\w+ )*?(?:location|box|coordinates)\w*(?: of| for)) "
    r"(.+?)(?: (?:in|on) (?:this|the) (?:image|picture|photo|scene))?",
    re.IGNORECASE | re.DOTALL,
)
_BACK = re.compile(
    r"\b(?:they|them|their|theirs|it|its|those|that one|the (?:former|latter))\b", re.IGNORECASE
)
_NOT_BACK = re.compile(r"\b(?:is|was) it (?:an?|the)\b|\bit (?:is|was) (?:an?|the)\b", re.IGNORECASE)


class Scene(NamedTuple):
    """The class of the picture, and the list that it was chosen from."""

    label: str
    labels: tuple[str, ...]


Told = str | Scene | Expression | Question
"""A caption, or one of the others."""


def read_turn(
    question: str, answer: str, width: int, height: int, notation: str = "auto", first: bool = True
) -> Told:
    """What a turn tells of a `width` × `height` picture.

    `notation` is that of its boxes (`boxes.NOTATIONS`); "auto" knows angle brackets, pairs of points, and lists of
    numbers up to 1. Later turns (not `first`) are asked by themselves and must not lean on earlier ones. Raises
    DamagedError with the reason why the turn can't be used.
    """
    for text in (question, answer):
        if len(text) > LONGEST:
            raise DamagedError(f"has {len(text):,} characters, more than {LONGEST:,}")
    if "<image>" in answer:
        raise DamagedError("the answer holds <image>")
    plain, said = " ".join(question.split()), " ".join(answer.split())
    if not plain or not said:
        raise DamagedError("has no question" if said else "has no answer")
    if not first and (back := _BACK.search(_NOT_BACK.sub("", plain))):
        raise DamagedError(f"leans on an earlier turn ({back[0]!r})")
    asked, _ = _in_geochat(plain, width, height, notation)
    told, found = _in_geochat(said, width, height, notation)
    tag = match[1].lower() if (match := _TAG.match(plain)) else ""
    if tag == "refer" and not found:
        raise DamagedError("the answer to [refer] holds no box")
    if len(found) == 1 and (tag == "refer" or not re.search(r"[^\W\d_]", _SPAN.sub("", said))):
        phrase = _phrase(_TAG.sub("", plain, count=1), tag == "refer")
        if phrase:
            box = found[0]
            outline = box.polygon() if box.angle else None
            return Expression(phrase, box.enclosing().clip(width, height).xyxy, outline)
    short = _SHORT.sub("", asked).strip()
    if not tag and not found:
        if _DESCRIBE.match(short) and len(said.split()) > 2:
            return said
        if scene := _scene(short, said):
            return scene
    known = read_question(short)
    return Question(short or asked, told, tag or ("region" if found else known[0] if known else "other"))


def _in_geochat(text: str, width: int, height: int, notation: str) -> tuple[str, list[Box]]:
    """The text with its boxes in GeoChat's notation, and the boxes."""
    found: list[Box] = []

    def rewritten(match: re.Match[str]) -> str:
        found.append(_box(_SPAN_MARKS.sub("", match[0]), width, height, notation))
        return format_box(found[-1], width, height)

    return _SPAN.sub(rewritten, text), found


def _box(span: str, width: int, height: int, notation: str) -> Box:
    # An angle may be any number; what stands before it must be on the scale.
    corners = [float(n) for n in re.findall(_NUMBER, span.partition("|")[0])]
    kind = notation
    if notation == "auto":
        kind = "geochat" if "<" in span else "qwen" if re.search(r"[\])]\s*,?\s*[\[(]", span) else "unit"
        if kind == "unit" and max(map(abs, corners), default=0) > 1:
            raise DamagedError(f"{span} may be pixels or thousandths: say notation= pixel, qwen or vhm")
    limits = (width, height) * 2 if kind == "pixel" else (SCALES[kind],) * 4
    if len(corners) != 4 or any(
        not 0 <= value <= limit for value, limit in zip(corners, limits, strict=True)
    ):
        raise DamagedError(f"{_cut(span)} is no box of four numbers from 0 to {limits[0]:g}")
    boxes = parse_boxes(span, width, height, kind)
    seen = boxes[0].enclosing().clip(width, height) if len(boxes) == 1 else None
    if seen is None or not (seen.width > 0 and seen.height > 0):
        raise DamagedError(f"{_cut(span)} is a box without area")
    return boxes[0]


def _phrase(question: str, referring: bool) -> str:
    """What is asked for, without mark and question words; "" where that can't be told."""
    if match := _MARKED.search(question):
        phrase = next(group for group in match.groups() if group is not None)
    else:
        plain = question.strip(" .?!")
        asked = _ASKED.fullmatch(plain)
        phrase = asked[1] if asked else plain if referring else ""
    return phrase.strip(" .?!\"'")


def _scene(question: str, answer: str) -> Scene | None:
    match = _LISTED.search(question)
    if match is None or not _SCENES.search(question):
        return None
    items = re.split(r"\s*[,;]\s*(?:or |and )?|\s+or\s+", match[1].split(". ")[0].rstrip(". "))
    labels = tuple(dict.fromkeys(item.strip() for item in items if item.strip()))
    label = next((item for item in labels if same_label(item, answer)), None)
    return Scene(label, labels) if label and len(labels) > 1 else None


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
