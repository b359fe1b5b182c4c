"""The page: self-contained, escaped whatever a model says, and the same numbers as everywhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from evaluation.report.conftest import made_report, made_result
from skymoe.evaluation.intervals import wilson
from skymoe.evaluation.report import markdown, notes, page, table, write
from skymoe.evaluation.report.webpage import shortened, visible

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'></style>{{ 7*7 }}`code`"
_VOID = {"meta", "img", "br", "hr", "input", "link"}
_SVG_EMPTY = {"line", "circle", "polygon", "polyline", "path", "rect"}


class Reader(HTMLParser):
    """All tags with their attributes, all text; closing tags must match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _SVG_EMPTY | _VOID
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def kept(folder: Path, name: str, **more: Any) -> None:
    one = {
        "id": "1", "question": HOSTILE, "references": [HOSTILE, "b"], "prediction": HOSTILE, "why": HOSTILE,
        "confidence": 0.5, "picture": None, **more,
    }  # fmt: skip
    (folder / name).mkdir(parents=True, exist_ok=True)
    found = {
        "task": "classify",
        "n": 40,
        "wrong": 20,
        "shown": [one],
        "confusions": [{"reference": HOSTILE, "prediction": HOSTILE, "n": 2}],
        "drawn": [],
    }
    (folder / name / "examples.json").write_text(json.dumps(found), encoding="utf-8")


def hostile(scenes: dict[str, Any], folder: Path) -> dict[str, Any]:
    result = scenes["results"]["aid-rsicd-test"]
    result |= {
        "title": HOSTILE,
        "note": HOSTILE,
        "notes": {"x": HOSTILE},
        "implementation": {HOSTILE: HOSTILE},
    }
    result["by"] = {HOSTILE: {"recall": wilson(1, 4)}, "b": {"recall": wilson(3, 4)}}
    result["paper"]["notes"] = {"x": HOSTILE}
    scenes["model"] = {"name": HOSTILE, "weights": HOSTILE}
    scenes["skipped"] = {HOSTILE: HOSTILE}
    scenes["versions"] = {HOSTILE: HOSTILE}
    kept(folder, "aid-rsicd-test")
    return scenes


def test_nothing_a_model_or_a_stranger_says_becomes_markup(scenes: dict[str, Any], tmp_path: Path) -> None:
    text = page(hostile(scenes, tmp_path), tmp_path)
    found = Reader(text)
    assert {tag for tag, _ in found.tags}.isdisjoint({"script", "iframe", "object", "embed", "base", "form"})
    assert not any(name.startswith("on") for _, attrs in found.tags for name in attrs)
    assert "alert(1)" in found.text  # shown as it was said
    assert "{{ 7*7 }}" in found.text
    assert [tag for tag, _ in found.tags].count("style") == 1


def test_the_page_asks_nobody_for_anything(scenes: dict[str, Any], tmp_path: Path) -> None:
    kept(tmp_path, "aid-rsicd-test", picture="data:image/jpeg;base64,AAAA", width=2, height=2)
    text = page(scenes, tmp_path)
    found = Reader(text)
    for tag, attrs in found.tags:
        assert tag != "link"
        for name in ("src", "href"):
            value = attrs.get(name)
            assert value is None or value.startswith(("#", "data:image/jpeg;base64,")), value
    assert "url(" not in text
    assert "@import" not in text
    policy = next(attrs["content"] for _, attrs in found.tags if "http-equiv" in attrs)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert sum(tag == "img" for tag, _ in found.tags) == 1


@pytest.mark.parametrize("picture", ["https://example.org/track.gif", "javascript:alert(1)", 3, None])
def test_a_strangers_examples_bring_no_foreign_picture(
    scenes: dict[str, Any], tmp_path: Path, picture: object
) -> None:
    kept(tmp_path, "aid-rsicd-test", picture=picture, width=2, height=2)
    text = page(scenes, tmp_path)
    assert "example.org" not in text
    assert "<img" not in text
    assert "no picture at hand" in text


def test_every_link_inside_the_page_leads_somewhere(scenes: dict[str, Any]) -> None:
    found = Reader(page(scenes))
    ids = {attrs["id"] for _, attrs in found.tags if "id" in attrs}
    links = {str(attrs["href"])[1:] for tag, attrs in found.tags if tag == "a"}
    assert links <= ids
    assert "aid-rsicd-test" in links


def test_the_numbers_are_those_of_the_table(scenes: dict[str, Any]) -> None:
    text = Reader(page(scenes)).text
    for cell in ("50.0 %", "35.2–64.8", "90.0", "78.2", "+11.8", "not told apart"):
        assert cell in text, cell
    assert "50.0 % | 35.2–64.8" in markdown(scenes)


def test_the_two_protocols_never_share_a_table(scenes: dict[str, Any]) -> None:
    for body in re.findall(r"<table.*?</table>", page(scenes), re.S):
        assert not ("90.0" in body and "50.0" in body)


def test_the_same_report_makes_the_same_page(scenes: dict[str, Any], tmp_path: Path) -> None:
    kept(tmp_path, "aid-rsicd-test")
    assert page(scenes, tmp_path) == page(json.loads(json.dumps(scenes)), tmp_path)


def test_every_task_has_its_page(tmp_path: Path) -> None:
    share = wilson(30, 40)
    results = {
        "ucm_captions": made_result("caption", {"bleu4": share, "cider": {"value": 3.4, "low": 3, "high": 4}}),
        "rsivqa_ucm": made_result("vqa", {"oa": share}, by={"count": {"accuracy": share}, "x": {}}),
        "airbus_ground": made_result("ground", {"acc@0.5": share, "odd_metric": share}, by={"small": {"miou": share}}),
        "airbus_count": made_result("count", {"accuracy": share, "mae": {"value": 2.5, "low": 2, "high": 3}}),
        "ucm_scenes": made_result("classify", {"accuracy": share}, by={f"c{n}": {"recall": share} for n in range(11)}),
    }  # fmt: skip
    for result in results.values():
        result |= {
            "blind": {"metrics": {}, "by": {}},
            "constant": {"what": "always this", "metrics": {}, "by": {}},
        }
    report = made_report(**results)
    (tmp_path / "airbus-count").mkdir()
    (tmp_path / "airbus-count" / "examples.json").write_text(
        json.dumps({"task": "count", "n": 1, "wrong": 0, "shown": [], "confusions": [], "drawn": [[1, 1, 1]]})
    )
    found = Reader(page(report, tmp_path))
    for said in (
        "At a glance",
        "Captioning",
        "2.50",
        "3.400",
        "odd metric",
        "By class, the worst first",
        "c10",
    ):
        assert said in found.text, said
    assert "Answer against truth" in found.text


def test_an_empty_report_is_a_page() -> None:
    report = made_report()
    report["skipped"] = {"rsod": "not here"}
    assert "Skipped: rsod: not here" in Reader(page(report)).text


def test_odd_characters_are_shown_not_obeyed() -> None:
    assert visible("a\u202eb\x00c\ud800") == "a\\u202eb\\u0000c\\ud800"
    assert visible("line\n次の行 – ok") == "line\n次の行 – ok"
    assert shortened("x" * 1000, 10) == "xxxxxxxxxx … (1,000 characters)"


def test_files_survive_names_without_utf8(scenes: dict[str, Any], tmp_path: Path) -> None:
    scenes["model"]["name"] = "m\udc80"
    write(scenes, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == scenes
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html"}


def test_markdown_cells_cannot_break_the_table(scenes: dict[str, Any], tmp_path: Path) -> None:
    scenes["results"]["aid-rsicd-test"]["title"] = "a | b\n<script>"
    row = next(line for line in markdown(scenes).splitlines() if "a \\|" in line)
    assert row.startswith("| a \\| b &lt;script> | 40 | accuracy | 50.0 % |")
    write(scenes, tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "## Beside the published numbers" in text
    assert "| not told apart | 1 of 13 |" in text


def test_the_terminals_table_prints_brackets_as_they_are(scenes: dict[str, Any]) -> None:
    from rich.console import Console

    scenes["model"]["name"] = "[red]m[/red]"
    scenes["results"]["aid-rsicd-test"]["title"] = "[bold]t"
    console = Console(width=200)
    with console.capture() as said:
        console.print(table(scenes))
    assert "[red]m[/red] · test split" in said.get()
    assert "[bold]t" in said.get()
    assert notes(scenes)[0].startswith("Model [red]m[/red] (0123)")
