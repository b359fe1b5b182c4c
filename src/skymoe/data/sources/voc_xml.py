"""Annotations in the XML of Pascal VOC, with what the datasets of the field add to it.

Understood: ``bndbox`` (xmin, ymin, xmax, ymax), DIOR's oriented ``robndbox`` (x_left_top … y_left_bottom), and
DIOR-RSVG's ``description``. Coordinates are taken as they are written: some datasets count pixels from 1, some
from 0, and none says so.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from skymoe.data.sources.objects import DamagedError, RawObject

_BOX = ("xmin", "ymin", "xmax", "ymax")
_ORIENTED = tuple(
    f"{axis}_{corner}"
    for corner in ("left_top", "right_top", "right_bottom", "left_bottom")
    for axis in ("x", "y")
)


def read_xml(path: Path) -> Element:
    """The root of an annotation file; DamagedError when it is missing, truncated or no XML."""
    try:
        return ElementTree.fromstring(path.read_bytes())
    except FileNotFoundError as error:
        raise DamagedError(f"annotation {path.name} is missing") from error
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise DamagedError(f"annotation {path.name} is damaged ({error})") from error


def read_objects(path: Path) -> list[RawObject]:
    """The objects of an annotation file in its order; DamagedError when one has no name or box."""
    return objects_in(read_xml(path), path)


def objects_in(root: Element, path: Path) -> list[RawObject]:
    """The objects of an annotation that has been read from `path`."""
    return [_object(node, path) for node in root.iter("object")]


def _object(node: Element, path: Path) -> RawObject:
    name = text_of(node, "name", path)
    oriented = node.find("robndbox")
    box = node.find("bndbox") if oriented is None else oriented
    if box is None:
        raise DamagedError(f"annotation {path.name}: {name} has no bndbox")
    tags = _BOX if oriented is None else _ORIENTED
    corners = tuple(number_of(box, tag, path) for tag in tags)
    difficult = (node.findtext("difficult") or "0").strip() == "1"
    return RawObject(name, corners, difficult, " ".join((node.findtext("description") or "").split()))


def text_of(node: Element, tag: str, path: Path) -> str:
    """The text of a child that must be there."""
    text = (node.findtext(tag) or "").strip()
    if not text:
        raise DamagedError(f"annotation {path.name}: an object has no {tag}")
    return text


def number_of(node: Element, tag: str, path: Path) -> float:
    """The number in a child that must be there."""
    text = text_of(node, tag, path)
    try:
        return float(text)
    except ValueError as error:
        raise DamagedError(f"annotation {path.name}: {tag} is {text!r}, no number") from error
