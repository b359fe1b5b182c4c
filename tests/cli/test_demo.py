"""The demonstration: every bundled picture, in the terminal, as JSON and as a page that needs nothing else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

import skymoe
from cli.conftest import Run
from skymoe import demo
from skymoe.answer import Answer
from skymoe.boxes import Box
from skymoe.engine.opened import opened
from skymoe.engine.routing import LayerRouting


class Page(HTMLParser):
    """Tags that are open, and all attributes."""

    EMPTY = {"meta", "img", "rect", "polygon"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.EMPTY or tag == "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def test_json_and_page_hold_every_picture(run: Run, out: Path) -> None:
    document = json.loads(run("demo", "--out", out, "--json").out)
    names = [path.name for path in demo.pictures()]
    assert [picture["image"] for picture in document["pictures"]] == names
    assert document["experts"] == 4
    assert document["activated"] < document["parameters"]
    for picture in document["pictures"]:
        assert len(picture["scenes"]) == demo.SCENES_SHOWN
        assert all(answer["parsed"] for answer in picture["answers"] if answer["task"] != "vqa")
        assert [layer["layer"] for layer in picture["routing"]] == [0, 2]

    text = out.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert all(name in text for name in names)
    assert page.tags.count("article") == len(names)
    links = [value or "" for name, value in page.attributes if name in ("src", "href", "srcset", "data")]
    assert len(links) >= len(names)
    assert all(link.startswith("data:image/jpeg;base64,") for link in links)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?://", re.sub(r'src="[^"]*"', "", text))


def test_the_terminal_shows_every_picture(run: Run, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = demo.pictures()[:2]
    monkeypatch.setattr(demo, "pictures", lambda: shown)
    outcome = run("demo", "--out", out)
    assert (outcome.code, outcome.err) == (0, "")
    assert all(path.name in outcome.out for path in shown)
    assert "storage tanks?" in outcome.out
    assert str(out) in outcome.out


def test_what_a_model_says_is_text_on_the_page_and_never_markup() -> None:
    evil = '<script>alert("1")</script>\'"&'
    picture = opened(Image.new("RGB", (40, 20)))
    ground = Answer("ground", evil, boxes=(Box(1, 2, 30, 10),), confidence=0.5)
    shown = demo.Shown(
        evil, picture, Answer("caption", evil), [(evil, 0.9)], [(evil, ground), (evil, Answer("vqa", evil))],
        [LayerRouting(0, (0.5, 0.5), (1.0, 0.0), ((0, 1), (1, 0)))],
    )  # fmt: skip
    about = {
        "model": evil,
        "parameters": 5,
        "activated": 4,
        "experts": 2,
        "top_k": 1,
        "layers": 2,
        "expert_layers": 1,
    }
    text = demo.page([shown], about, 1.0)
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert "<script>" not in text
    assert page.tags.count("polygon") == 2


def test_a_dense_model_has_a_page_too(tmp_path: Path) -> None:
    from engine.tiny_model import build
    from skymoe.engine import SkyMoe

    model = SkyMoe(*build(num_experts=0))
    shown = list(demo.show(model, demo.pictures()[:1]))
    assert "Experts" not in demo.page(shown, demo.facts(model), 1.0)


def test_the_bundled_model_finishes_the_demo(run: Run, out: Path) -> None:
    if not (demo.ASSETS / "nano" / "config.json").is_file():
        pytest.skip("the trained model is not in the package yet")
    document = json.loads(run("demo", "--out", out, "--json", tiny=False).out)
    assert document["seconds"] < 60
    tanks = next(picture for picture in document["pictures"] if picture["image"] == "storage-tanks.jpg")
    assert tanks["scenes"][0]["label"] == "storage tanks"
    assert skymoe.load().name == "nano"
