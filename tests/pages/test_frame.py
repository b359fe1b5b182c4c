"""Every page of the package stands in the shared frame, and nothing of a stranger's text runs or vanishes in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from skymoe import pages

SOURCE = Path(pages.__file__).resolve().parents[1]


def rendered(folder: Path, body: str, **values: object) -> str:
    (folder / "one.html").write_text(
        '{% extends "base.html" %}{% block style %}b { color: red }{% endblock %}{% block body %}'
        + body
        + "{% endblock %}"
    )
    return pages.environment(folder).get_template("one.html").render(**values)


def test_a_page_gets_frame_and_look_and_adds_its_own(tmp_path: Path) -> None:
    page = rendered(tmp_path, "<p>{{ said }}</p>", said="<script>\x07\u202e")
    assert "<p>&lt;script&gt;\\u0007\\u202e</p>" in page
    assert "default-src 'none'" in page
    shared = (SOURCE / "pages" / "page.css").read_text().strip()
    assert shared in page
    assert page.index(shared) < page.index("b { color: red }")


def test_a_value_that_nobody_gave_is_no_empty_place(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError):
        rendered(tmp_path, "{{ nothing }}")


def test_the_evaluations_pages_have_no_look_of_their_own() -> None:
    found = [
        path
        for path in (SOURCE / "evaluation").rglob("*.html")
        if "<html" in path.read_text() or "--paper:" in path.read_text()
    ]
    assert found == []
    assert "--paper:" not in (SOURCE / "evaluation/report/templates/style.css").read_text()
