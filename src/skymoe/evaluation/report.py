"""The report: JSON with everything, Markdown and a terminal table with what one reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skymoe.evaluation.intervals import Estimate
from skymoe.evaluation.scoring import HEADLINES, LOWER_IS_BETTER, PERCENT

if TYPE_CHECKING:
    from rich.table import Table

_TITLES = {
    "bleu1": "BLEU-1", "bleu2": "BLEU-2", "bleu3": "BLEU-3", "bleu4": "BLEU-4", "meteor": "METEOR",
    "rouge_l": "ROUGE-L", "cider": "CIDEr", "oa": "accuracy, all (OA)", "aa": "accuracy, mean of types (AA)",
    "acc@0.5": "Acc@0.5", "acc@0.7": "Acc@0.7", "miou": "mean IoU", "accuracy": "accuracy",
    "within10": "within 10 %", "mae": "MAE", "rmse": "RMSE", "mean_class_recall": "mean class recall",
}  # fmt: skip
COLUMNS = ("Benchmark", "N", "Metric", "Value", "95 % interval", "Blind", "Constant", "Unparsable")


@dataclass(frozen=True)
class Row:
    """One line of the table, every cell as text."""

    benchmark: str
    n: str
    metric: str
    value: str
    interval: str
    blind: str
    constant: str
    unparsable: str

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            self.benchmark,
            self.n,
            self.metric,
            self.value,
            self.interval,
            self.blind,
            self.constant,
            self.unparsable,
        )


def rows(report: dict[str, Any]) -> Iterator[Row]:
    """The table's lines: the headline metrics of every benchmark, for questions also every type's accuracy."""
    for result in report["results"].values():
        wanted = [(name, None) for name in HEADLINES[result["task"]] if name in result["metrics"]]
        if result["task"] == "vqa":
            wanted += [("accuracy", kind) for kind in result["by"]]
        for number, (name, part) in enumerate(wanted):
            estimate = _of(result, name, part)
            assert estimate is not None, name
            title = _TITLES[name] + (" ↓" if name in LOWER_IS_BETTER else "") + (f", {part}" if part else "")
            yield Row(
                benchmark=result["title"] if number == 0 else "",
                n=_n(result) if number == 0 else "",
                metric=title,
                value=_number(name, estimate["value"]),
                interval=f"{_number(name, estimate['low'], unit=False)}–{_number(name, estimate['high'], unit=False)}",
                blind=_beside(result, "blind", name, part),
                constant=_beside(result, "constant", name, part),
                unparsable=f"{100 * result['unparsable']:.1f} %" if number == 0 else "",
            )


def notes(report: dict[str, Any]) -> list[str]:
    """What must be said below the table."""
    settings = report["settings"]
    decoding = "typed answers (decoded under their form)" if settings["constrained"] else "free decoding"
    model = report["model"]
    found = [
        f"Model {model['name']} ({model['weights']}), {settings['split']} split, protocol `standard`, {decoding}, "
        f"captions with {settings['num_beams']} beams. Unparsable answers are wrong and stay in the denominator. "
        "Intervals: Wilson for rates, bootstrap (1,000 resamples) otherwise."
    ]
    if settings["baselines"]:
        found.append(
            "Blind: the same model on a picture of one colour, the mean of the real one. "
            "Constant: the best answer without picture or model, learnt from the training split (captions: the most "
            "frequent one; questions: the most frequent answer to the same question; scenes: the most frequent label; "
            "counts and centred boxes: the one that does best there, by each metric)."
        )
    for result in report["results"].values():
        found += [
            f"{result['title']}: {text}." for text in (result["note"], *result["notes"].values()) if text
        ]
        if result["subset"]:
            found.append(f"{result['title']}: a seeded subset of {result['pictures']:,} pictures (ids.txt).")
    found += [f"Skipped: {name}: {reason}" for name, reason in report["skipped"].items()]
    return found


def markdown(report: dict[str, Any]) -> str:
    """The table and its notes, for the README."""
    lines = [list(COLUMNS), ["---", "--:", "---", "--:", ":-:", "--:", "--:", "--:"]]
    lines += [list(row.cells) for row in rows(report)]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return table + "\n\n" + "\n".join(f"- {note}" for note in notes(report)) + "\n"


def table(report: dict[str, Any]) -> Table:
    """The same table for a terminal."""
    from rich.table import Table

    found = Table(
        title=f"{report['model']['name']} · {report['settings']['split']} split · protocol standard"
    )
    for name in COLUMNS:
        found.add_column(
            name, justify="left" if name in ("Benchmark", "Metric") else "right", no_wrap=name != "Benchmark"
        )
    for number, row in enumerate(rows(report)):
        if row.benchmark and number:
            found.add_section()
        found.add_row(*row.cells)
    return found


def write(report: dict[str, Any], out: Path) -> None:
    """``report.json`` and ``report.md`` in ``out``, each replaced as a whole."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {"report.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n"}
    texts["report.md"] = f"# {report['model']['name']}\n\n{markdown(report)}"
    for name, text in texts.items():
        part = out / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        os.replace(part, out / name)


def _of(result: dict[str, Any], name: str, part: str | None) -> Estimate | None:
    metrics = result["metrics"] if part is None else result.get("by", {}).get(part, {})
    return metrics.get(name)


def _beside(result: dict[str, Any], which: str, name: str, part: str | None) -> str:
    estimate = _of(result[which], name, part) if which in result else None
    return "–" if estimate is None else _number(name, estimate["value"])


def _number(name: str, value: float, unit: bool = True) -> str:
    if name in PERCENT:
        return f"{100 * value:.1f}" + (" %" if unit else "")
    return f"{value:.2f}" if name in LOWER_IS_BETTER else f"{value:.3f}"


def _n(result: dict[str, Any]) -> str:
    pictures, whole = result["pictures"], result["official_pictures"]
    count = f"{result['n']:,}"
    if whole and whole != pictures:
        count += f" of {whole:,}"
    return count
