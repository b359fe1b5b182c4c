"""Two runs side by side, as Markdown and as a page: what ``skymoe compare --json`` says, drawn.

The document is ``{"a": name, "b": name, "comparisons": {benchmark: Comparison.to_dict()}}``; differences are B − A.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from skymoe.evaluation.benchmarks import BENCHMARKS
from skymoe.evaluation.report.plain import inline, markdown_table
from skymoe.evaluation.report.webpage import render
from skymoe.evaluation.report.wording import TASKS, in_order, is_share, number, signed, title
from skymoe.evaluation.scoring import LOWER_IS_BETTER

Document = Mapping[str, Any]
_SIDES = (("both", "both right"), ("only a", "only A"), ("only b", "only B"), ("neither", "neither"))


def comparison_page(document: Document) -> str:
    """The comparison as one self-contained page."""
    cards = [_card(name, one) for name, one in document["comparisons"].items()]
    every = [line for card in cards for line in card["lines"]]
    return render(
        "comparison.html",
        a=str(document["a"]),
        b=str(document["b"]),
        cards=cards,
        protocol=", ".join(dict.fromkeys(card["protocol"] for card in cards)),
        verdicts=[
            (sum(line["verdict"] == verdict for line in every), said)
            for verdict, said in (("B", "B is better"), ("A", "A is better"), ("", "not told apart"))
        ],
    )


def comparison_markdown(document: Document) -> str:
    """The comparison as a Markdown table, with a line of what was found before it."""
    header = ("Benchmark", "N", "Metric", "A", "B", "B − A", "95 % interval", "p (Holm)", "Real?")
    align = ("---", "--:", "---", "--:", "--:", "--:", ":-:", "--:", "---")
    lines, said = [], []
    for name, one in document["comparisons"].items():
        card = _card(name, one)
        for place, line in enumerate(card["lines"]):
            found = f"{line['verdict']} is better" if line["verdict"] else "no"
            first = (card["title"], f"{card['n']:,}") if place == 0 else ("", "")
            cells = (line["a"], line["b"], line["difference"], line["interval"], line["p"], found)
            lines.append((*first, line["metric"], *cells))
        said += [f"- {inline(card['title'])}: {inline(note)}." for note in card["notes"]]
    a, b = inline(str(document["a"])), inline(str(document["b"]))
    names = f"A: {a}, B: {b}. Paired bootstrap; Holm's correction over all numbers shown."
    text = f"{names}\n\n{markdown_table(header, lines, align)}\n"
    return text + ("\n" + "\n".join(said) + "\n" if said else "")


def write_comparison(document: Document, path: Path) -> None:
    """The page in ``path``, replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(comparison_page(document).encode("utf-8", "backslashreplace"))
    os.replace(part, path)


def _card(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    known = BENCHMARKS.get(name)
    lines = list(_lines(one["metrics"]))
    right = one.get("right") or {}
    return {
        "title": known.title if known is not None else name or TASKS.get(one["task"], one["task"]),
        "task": one["task"],
        "task_title": TASKS.get(one["task"], one["task"]),
        "protocol": one["protocol"],
        "n": one["n"],
        "lines": lines,
        "right": [
            (side, said, right[side], right[side] / one["n"]) for side, said in _SIDES if side in right
        ],
        "notes": list(one.get("notes", {}).values()),
    }


def _lines(metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    shares = [metric for metric in metrics if is_share(metric)]
    together = _reach([metrics[metric] for metric in shares])
    for metric in in_order(metrics):
        found = metrics[metric]
        ends = found["difference"]
        better = (ends["value"] > 0) != (metric in LOWER_IS_BETTER)
        # Rates share one scale; other metrics have each their own, or CIDEr would flatten all.
        reach = together if metric in shares else _reach([found])
        # On the drawing, right of the middle is always where B is better.
        side = -1 if metric in LOWER_IS_BETTER else 1
        at = {end: 0.5 + side * ends[end] / (2 * reach) for end in ("value", "low", "high")}
        yield {
            "metric": title(metric),
            "a": number(metric, found["a"]),
            "b": number(metric, found["b"]),
            "difference": signed(metric, ends["value"]),
            "interval": " … ".join(signed(metric, ends[end], unit=False) or "0" for end in ("low", "high")),
            "p": f"{found['p_holm']:.4f}" if found["p_holm"] < 1 else "1",
            "verdict": ("B" if better else "A") if found["real"] else "",
            "at": {
                "value": at["value"],
                "low": min(at["low"], at["high"]),
                "high": max(at["low"], at["high"]),
            },
        }


def _reach(found: list[Mapping[str, Any]]) -> float:
    """The largest end of these differences: half the width of their scale."""
    ends = [abs(one["difference"][end]) for one in found for end in ("low", "high")]
    return max(ends, default=0.0) * 1.05 or 1.0
