"""Which column of a table is what: guesses from the names, and errors that list the names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skymoe.errors import UserError

_IMAGE = r"(?:image|img|picture|photo)(?:_?(?:path|file|name|id|filename))?|file_?(?:name|path)?|path"
_GUESSES = {
    "image": _IMAGE,
    "caption": r"(?:captions?|sentences?|descriptions?|text|raw)_?\d*",
    "label": r"labels?(?:_?name)?|class(?:_?name)?|categor(?:y|y_name)|scene",
    "question": r"questions?|q",
    "answer": r"answers?|a|ans|response",
    "kind": r"(?:question_?)?(?:type|kind)",
    "phrase": r"phrase|(?:referring_)?expression|refer",
    "split": r"split|subset|set|partition",
}
ROLES = (*_GUESSES, "box")
_BOXES = {
    "corners": (("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4"),),
    "xyxy": (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom")),
    "cxcywh": (
        ("cx", "cy", "w", "h"),
        ("xcenter", "ycenter", "width", "height"),
        ("cx", "cy", "width", "height"),
    ),
    "xywh": (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height")),
}
SHAPES = ("xyxy", "xywh", "cxcywh")


@dataclass(frozen=True)
class Columns:
    """The place of each kind of column in a row; ``box`` are one to eight columns, ``shape`` says of what."""

    one: dict[str, int] = field(default_factory=dict)
    captions: tuple[int, ...] = ()
    box: tuple[int, ...] = ()
    shape: str = "xyxy"


def find_columns(
    header: Sequence[str], where: str, given: Mapping[str, Any] | None = None, shape: str | None = None
) -> Columns:
    """The columns of a table by its header, `given` ones first (role → name, or names for caption and box).

    `shape` is what four box numbers mean, one of SHAPES; for a single column called "bbox" it must be said.
    Raises UserError, with the columns found, where the picture or all else is lacking. `where` names the table.
    """
    listed = ", ".join(repr(name) for name in header)
    plain = [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in header]
    found = f"{where} has the columns {listed}"
    chosen = {role: _given(role, names, header, found) for role, names in (given or {}).items()}
    taken = {place for places in chosen.values() for place in places}
    # Of a question "category" is the kind, of a picture the label.
    guesses = dict(_GUESSES)
    if "question" in chosen or any(re.fullmatch(_GUESSES["question"], name) for name in plain):
        guesses |= {"label": r"labels?|scene", "kind": r"(?:question_?)?(?:type|kind|category)|class"}
    one: dict[str, int] = {}
    for role, pattern in guesses.items():
        fits = [i for i, name in enumerate(plain) if i not in taken and re.fullmatch(pattern, name)]
        places = chosen.get(role) or (fits if role == "caption" else fits[:1])
        if role == "caption":
            captions = tuple(places)
        elif places:
            one[role] = places[0]
    if "image" not in one:
        raise UserError(f"{found}: none is the picture; say columns={{'image': …}}")
    box, meant = _box(plain, chosen.get("box"), where, shape)
    known = captions or "label" in one or box or ("question" in one and "answer" in one)
    if not known:
        raise UserError(
            f"{found}: none is a caption, a label, a question with its answer, or a box; "
            f"say columns={{'caption': …}}"
        )
    if box and not {"label", "phrase"} & set(one):
        raise UserError(f"{found}: boxes need a class or a phrase; say columns={{'label': …}}")
    return Columns(one, captions, box, meant)


def parse_given(columns: Any, source: str) -> dict[str, Any]:
    """The option `columns`, also as words from a shell: "image=img,caption=text"."""
    if isinstance(columns, str):
        pairs = [pair.partition("=") for pair in columns.split(",")]
        columns = {role.strip(): name.strip() for role, _, name in pairs}
    if not isinstance(columns, Mapping) or not all(columns.values()):
        raise UserError(
            f"{source}: columns={columns!r} is no table of roles; give {{'image': 'name of a column'}}"
        )
    for role in columns:
        if role not in ROLES:
            raise UserError(f"{source}: columns has no role {role!r}; there are {', '.join(ROLES)}")
    return dict(columns)


def _given(role: str, names: Any, header: Sequence[str], found: str) -> list[int]:
    wanted: Iterable[Any] = names if isinstance(names, (list, tuple)) else [names]
    places = []
    for name in wanted:
        if name not in header:
            raise UserError(f"{found}: there is no {name!r} for {role}; give one of them")
        places.append(list(header).index(name))
    return places


def _box(
    plain: Sequence[str], chosen: Sequence[int] | None, where: str, shape: str | None
) -> tuple[tuple[int, ...], str]:
    if chosen:
        if len(chosen) not in (1, 4, 8):
            raise UserError(f"{where}: a box is one column, four or eight; {len(chosen)} were given")
        return tuple(chosen), "corners" if len(chosen) == 8 else shape or "xyxy"
    bare = [name.replace("_", "") for name in plain]
    for meant, groups in _BOXES.items():
        for group in groups:
            if set(group) <= set(bare):
                return tuple(bare.index(name) for name in group), meant
    for name in ("bounds", "box", "xyxy", "boundingbox", "bbox"):
        if name in bare:
            if name == "bbox" and shape is None:
                raise UserError(
                    f"{where}: the column 'bbox' may hold x1 y1 x2 y2 or x y width height; say boxes='xyxy' or 'xywh'"
                )
            return (bare.index(name),), shape or "xyxy"
    return (), "xyxy"
