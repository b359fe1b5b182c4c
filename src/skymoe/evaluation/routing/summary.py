"""What the numbers say, in a few sentences and in one table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

PART_NAMES = {
    "opening": "before the picture",
    "summary": "the picture's summary token",
    "picture": "the picture's cells",
    "question": "the words of the question",
    "closing": "the token before the answer",
    "answer": "the words of the answer",
}
SURE = 0.05
SAME = 1e-3
"""Less than this is rounding: another batch can turn a tie between two experts."""


def findings(model: dict[str, Any]) -> list[str]:
    """Sentences about one model of a report."""
    return [*(_told(model, label) for label in ("task", "granularity")), *_picture(model), _even(model)]


def above_chance(one: dict[str, Any] | None) -> bool:
    """Whether the excess's interval lies above 0 and few shuffles over pictures reach the value."""
    return one is not None and one["low"] > 0 and one["chance"]["p"] <= SURE


def beyond_picture(one: dict[str, Any] | None) -> bool:
    """Whether few shuffles within pictures reach the value: the question itself is told, not where it is asked."""
    return one is not None and one["within"] is not None and one["within"]["p"] <= SURE


def _told(model: dict[str, Any], label: str) -> str:
    """Of the token before the answer: it is the same whatever is asked, so that no word gives the task away."""
    closing = _of(model, label, "closing")
    if not closing:
        return f"No {label} can be told apart: there is one only."
    layer, one = max(closing, key=lambda pair: pair[1]["nmi"])
    sure = [layer for layer, told in closing if above_chance(told) and beyond_picture(told)]
    words = max((told["nmi"] for _, told in _of(model, label, "question")), default=0.0)
    said = f"{one['nmi']:.2f} where chance gives {one['chance']['mean']:.2f} (layer {layer})"
    kept = f"Of the {label} the expert of the token before the answer tells"
    held = (
        "in no layer more than chance and the picture explain"
        if not sure
        else "more than chance and the picture " + (f"explain in {len(sure)} of {len(closing)} layers")
    )
    return f"{kept} {said}, {held}; the experts of the question's own words tell up to {words:.2f}."


def _picture(model: dict[str, Any]) -> list[str]:
    found = [one for _, one in _of(model, "task", "picture") if one["within"] is not None]
    if not found:
        return []
    if not model["conditioned"] and all(abs(one["beyond_picture"]) < SAME for one in found):
        return [
            "The picture's cells are routed alike whatever is asked: a token's router sees it and what is before it, "
            "and the question comes after the picture."
        ]
    most = max(one["beyond_picture"] for one in found)
    return [
        f"The routing of the picture's cells tells up to {most:.2f} of the task beyond what the picture itself does."
    ]


def _even(model: dict[str, Any]) -> str:
    found = [layer["balance"]["all"] for layer in model["layers"]]
    losses, busiest = [one["loss"] for one in found], max(one["busiest"] for one in found)
    idle, all_of_them = sum(one["idle"] for one in found), model["experts"] * len(found)
    return (
        f"Load: balance loss {min(losses):.2f}–{max(losses):.2f} (1 is even, {model['experts']} the worst), the "
        f"busiest expert has {busiest:.1f} even shares, {idle} of {all_of_them} experts are idle."
    )


def _of(model: dict[str, Any], label: str, part: str) -> list[tuple[int, dict[str, Any]]]:
    pairs = [(layer["layer"], layer["information"][label].get(part)) for layer in model["layers"]]
    return [(layer, one) for layer, one in pairs if one is not None]


def table(model: dict[str, Any]) -> Table:
    """Layer by layer and part by part: what the expert tells of task and granularity, and how even the load is."""
    from rich.table import Table

    title = f"{model['name']} · {model['experts']} experts, {model['top_k']} a token"
    found = Table(title=title)
    for name in (
        "Layer",
        "Part",
        "Task",
        "chance",
        "beyond picture",
        "Granularity",
        "chance",
        "beyond picture",
    ):
        found.add_column(name, justify="left" if name == "Part" else "right", no_wrap=True)
    for name in ("Effective experts", "Busiest"):
        found.add_column(name, justify="right")
    for number, layer in enumerate(model["layers"]):
        if number:
            found.add_section()
        for part in layer["information"]["task"]:
            cells = [str(layer["layer"]), part]
            for label in ("task", "granularity"):
                cells += _cells(layer["information"][label][part])
            load = layer["balance"][part]
            found.add_row(*cells, f"{load['effective']:.1f}", f"× {load['busiest']:.1f}")
    return found


def _cells(one: dict[str, Any] | None) -> list[str]:
    if one is None:
        return ["–"] * 3
    beyond = (
        "–"
        if one["within"] is None
        else f"{one['beyond_picture']:.3f}" + ("*" if beyond_picture(one) else "")
    )
    return [f"{one['nmi']:.3f}" + ("*" if above_chance(one) else ""), f"{one['chance']['mean']:.3f}", beyond]


NOTES = (
    "Task, granularity: normalised mutual information with the first choice of expert, 0–1. Chance: its mean when "
    "each picture gets another one's labels. Beyond picture: what exceeds the mean when the questions on one picture "
    "exchange theirs.",
    f"* more than chance: p ≤ {SURE} by shuffling whole questions (no correction for the number of rows).",
)


__all__ = ["NOTES", "PART_NAMES", "above_chance", "beyond_picture", "findings", "table"]
