"""docs/benchmarks.md says what the benchmarks are. To write its table anew: run this file (PYTHONPATH=src)."""

from __future__ import annotations

from pathlib import Path

from skymoe.evaluation.benchmarks import BENCHMARKS, FAMILIES, get_benchmark

PAGE = Path(__file__).resolve().parents[3] / "docs" / "benchmarks.md"
START, END = "<!-- benchmarks:start -->\n", "<!-- benchmarks:end -->"
WHAT = {"vqa": "questions", "ground": "expressions"}


def table() -> str:
    lines = ["| benchmark | data set | task | test split | metrics |", "| --- | --- | --- | --- | --- |"]
    for name in FAMILIES["paper"]:
        one = get_benchmark(name)
        size = one.sizes.get("test") or one.reader("nowhere").counts.get(one.source_split("test"))
        sizes = [f"{size:,} pictures"] if size else []
        sizes += [f"{one.questions['test']:,} {WHAT[one.task]}"] if "test" in one.questions else []
        cells = (f"`{name}`", one.title, one.task, ", ".join(sizes) or "–", ", ".join(one.metrics))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_table_is_what_the_benchmarks_are() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(START)[2].partition(END)[0] == table()


def test_every_benchmark_is_named() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in BENCHMARKS if f"`{name}`" not in text] == []


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(before + START + table() + END + rest.partition(END)[2], encoding="utf-8")
