"""The options of readers, which a recipe gives as values and the shell as words."""

from __future__ import annotations

from collections.abc import Iterable

from skymoe.errors import UserError

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def named(pair: str) -> tuple[str, str]:
    """Name and value of ``name=value``, as ``-o`` takes it; UserError for anything else."""
    name, equals, value = pair.partition("=")
    if not (name and equals):
        raise UserError(f"--option {pair!r} must be name=value, such as annotations=a.json")
    return name, value


def all_named(pairs: Iterable[str]) -> dict[str, str]:
    """The options that `-o` gave, by name; UserError for what is no ``name=value``, and for a name that comes twice."""
    found: dict[str, str] = {}
    for name, value in map(named, pairs):
        if name in found:
            raise UserError(
                f"--option {name} is given twice, {found[name]!r} and {value!r}: leave one of them out"
            )
        found[name] = value
    return found


def flag(source: str, option: str, value: object) -> bool:
    """True or false; UserError for what is neither."""
    known = _FLAGS.get(str(value).strip().lower())
    if known is None:
        raise UserError(f"{source}: {option} is true or false, not {value!r}")
    return known


def whole_number(source: str, option: str, value: object) -> int:
    """A whole number from 0 on; UserError for anything else."""
    word = str(value).strip()
    if isinstance(value, bool) or not (word.isascii() and word.isdecimal()):
        raise UserError(f"{source}: {option} is a whole number from 0 on, not {value!r}")
    return int(word)


def share(source: str, option: str, value: object) -> float:
    """A number from 0 to 1; UserError for anything else."""
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not 0 <= number <= 1:
        raise UserError(f"{source}: {option} is a share from 0 to 1, not {value!r}")
    return number
