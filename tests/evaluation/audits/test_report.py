"""The page is whole in itself, sound as XML, and shows what was measured; the other forms say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from evaluation.audits.conftest import bench_of, count_white
from evaluation.audits.test_phrasing import Talks
from skymoe.evaluation.audits import report
from skymoe.evaluation.audits.measures import alike, measure, shown, sound
from skymoe.evaluation.audits.running import AUDITS
from skymoe.evaluation.benchmarks import Item

HOSTILE = "<script>alert('tanks & ships')</script>"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, counted: list[Item]) -> dict[str, Any]:
    """A whole report of an engine that sees well and says odd things to one wording."""
    folder = tmp_path_factory.mktemp("found")
    engine = Talks(lambda picture, words: HOSTILE if words.startswith("Count") else count_white(picture))
    bench = bench_of(engine, counted, folder / "out")
    about = {"title": "Own & <b>", "task": "count", "n": 6, "pictures": 6, "note": "a note"}
    return {
        "model": {"name": HOSTILE, "weights": "0"},
        "settings": {"split": "test", "limit": 200, "constrained": True},
        "versions": {},
        "audits": {
            name: {"title": one.title, "asks": one.asks, "results": {"own": {**about, **one.run(bench)}}}
            for name, one in AUDITS.items()
        },
        "skipped": {"masking, other": "no picture can be masked"},
    }


def test_the_page_needs_nothing_from_elsewhere_and_escapes_everything(found: dict[str, Any]) -> None:
    page = report.page(found)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(src|href)=\"(?!data:image/jpeg;base64,|#)", page)
    assert "@import" not in page
    assert "url(" not in page
    for name in AUDITS:
        assert f'<section class="sheet" id="{name}">' in page
    assert "no picture can be masked" in page


def test_every_chart_is_sound_xml_inside_its_frame(found: dict[str, Any]) -> None:
    charts = re.findall(r'<svg class="chart".*?</svg>', report.page(found), re.S)
    assert len(charts) == 2 + 1 + 1 + 1 + 2  # masking, blind, phrasing, resolution, calibration
    for text in charts:
        drawing = ElementTree.fromstring(text)
        width, height = map(float, drawing.attrib["viewBox"].split()[2:])
        assert drawing.attrib["aria-label"]
        for part in drawing.iter():
            for name, most in (("cx", width), ("x1", width), ("x2", width), ("cy", height), ("y1", height)):
                assert 0 <= float(part.attrib.get(name, 0)) <= most, (part.tag, part.attrib)


def test_masked_pictures_stand_on_the_page_and_not_in_the_json(found: dict[str, Any], tmp_path: Path) -> None:
    report.write(found, tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    data = (tmp_path / "report" / "report.json").read_text(encoding="utf-8")
    # Each of four examples has its steps and its control.
    assert page.count("data:image/jpeg;base64,") >= 4 * 3
    assert "data:image" not in data
    read = json.loads(data)
    assert read["audits"]["masking"]["results"]["own"]["examples"][0]["shots"][0]["title"] == "as it is"
    assert not list((tmp_path / "report").glob("*.part"))


def test_markdown_and_table_say_the_same(found: dict[str, Any]) -> None:
    text = report.markdown(found)
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert len(lines) == len(list(report.rows(found))) == report.table(found).row_count
    assert lines[0].startswith("| Masking | Own & <b> | 6 | slope of predicted against true count | 1 |")
    assert "- Masking, Own & <b>: pictures left out: no object to mask: 1." in text
    assert "- Skipped: masking, other: no picture can be masked" in text


def test_numbers_are_written_for_people() -> None:
    share = measure("a", {"value": 0.6216, "low": 0.5, "high": 0.75})
    assert shown(share) == ("62.2 %", "50.0 … 75.0")
    assert shown(measure("b", 1.23456, "number")) == ("1.23", "")
    assert shown(measure("c", 1e-17, "number")) == ("0", "")
    assert [sound(measure("d", 1, kind, "1")) for kind in ("share", "number")] == ["100 %", "1"]


@pytest.mark.parametrize(
    ("task", "one", "other", "same"),
    [
        ("count", (3, "3"), (3, "three"), True),
        ("count", (3, "3"), (4, "4"), False),
        ("count", (None, "a few"), (None, "some"), False),
        ("count", (None, "a few"), (None, "a few"), True),
        ("classify", ("storage tanks", "x"), ("StorageTanks", "y"), True),
        ("vqa", ("two", "Two."), ("2", "2"), True),
        ("vqa", ("yes", "yes"), ("no", "no"), False),
        ("ground", ([0, 0, 10, 10], "a"), ([0, 0, 10, 9], "b"), True),
        ("ground", ([0, 0, 10, 10], "a"), ([20, 0, 30, 10], "b"), False),
        ("caption", ("a port", "a port"), ("a harbor", "a harbor"), False),
    ],
)
def test_answers_are_alike_by_what_they_mean(task: str, one: Any, other: Any, same: bool) -> None:
    first, second = ({"parsed": parsed, "text": text} for parsed, text in (one, other))
    assert alike(task, first, second) == alike(task, second, first) == same
