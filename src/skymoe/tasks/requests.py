"""Which task a user's own words ask for: "count the planes", "where's the largest tank?", "scene type?"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skymoe.errors import UserError
from skymoe.tasks import caption, classify, count, ground
from skymoe.tasks.base import Query
from skymoe.tasks.questions import read_question
from skymoe.tasks.wording import singularise

_PICTURE = r"(?: (?:in|on|from) (?:this|the) (?:image|picture|photo|scene)| here)?"
# No verb belongs to the name of a thing: "how many of the ships are docked?" is left to vqa.
_SUBJECT = r"(?P<subject>(?:(?!\b(?:is|are|was|were|can|do|does|there|you|and)\b).)+?)"
_MARKUP = re.compile(r"</?p>")
_POLITE = re.compile(
    r"^(?:please,? )?(?:(?:can|could|would) you )?(?:please,? )?(?!$)|,? please$", re.IGNORECASE
)


def _patterns(wordings: Sequence[str]) -> list[re.Pattern[str]]:
    """One pattern a wording, the longest first: "… in the picture" is no part of the object's name."""
    found = []
    for wording in sorted(wordings, key=len, reverse=True):
        parts = re.split(r"\{\w+\}", _request(wording))
        found.append(re.compile(_SUBJECT.join(map(re.escape, parts)) + _PICTURE, re.IGNORECASE))
    return found


def _request(text: str) -> str:
    """The words that matter: without politeness, markup and closing mark."""
    return _plain(_POLITE.sub("", _plain(_MARKUP.sub(" ", text))))


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip("?.! ")


_TASKS = {
    "count": _patterns(count.WORDINGS),
    "ground": _patterns(ground.WORDINGS),
    "caption": _patterns(caption.WORDINGS),
    "classify": _patterns(classify.WORDINGS),
}


def read_request(text: str) -> Query:
    """The query that ``text`` asks for; what no other task knows how to say is a question for vqa.

    Raises UserError for text without a word in it.
    """
    plain = _request(text)
    if not re.search(r"\w", plain):
        raise UserError(f"the question {text!r} is empty: ask something, for instance 'Are there any ships?'")
    for task, patterns in _TASKS.items():
        for pattern in patterns:
            if match := pattern.fullmatch(plain):
                subject = match.groupdict().get("subject")
                if subject and task == "count":
                    subject = singularise(re.sub(r"^(?:all )?(?:the )?", "", subject, flags=re.IGNORECASE))
                return Query(task, subject)
    known = read_question(text)
    return Query("vqa", " ".join(text.split()), kind=known[0] if known else None)
