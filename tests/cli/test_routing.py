"""`skymoe routing` from the outside: page, numbers, exit codes."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cli.conftest import Run

FIXTURES = Path(__file__).parents[1] / "fixtures" / "data"
QUICK = ("-b", "ucm-captions", "-b", "airbus-count", "--limit", 3, "--shuffles", 19, "--examples", 2)


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and whether all that were opened were closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKYMOE_DATA", str(FIXTURES))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_page_and_numbers_of_two_checkpoints(run: Run, here: Path, checkpoint: Path) -> None:
    found = run("routing", checkpoint, "--against", checkpoint, *QUICK, "--json", tiny=False)
    assert found.code == 0, found.err
    (folder,) = (here / "runs" / "routing").iterdir()
    report = json.loads((folder / "routing.json").read_text(encoding="utf-8"))
    assert json.loads(found.out) == report
    assert report["pictures"] == 6  # three of UCM-Captions' test split, three tiles
    assert report["questions"] == len((folder / "ids.txt").read_text(encoding="utf-8").split())
    assert report["settings"]["wording"] == "varied"
    assert [layer["layer"] for layer in report["model"]["layers"]] == [0, 2]
    assert report["model"]["layers"] == report["against"]["layers"]
    for pair in report["comparison"]:
        assert pair["agreement"]["question"]["nmi"] == pytest.approx(1)
        assert not any(one["clear"] for parts in pair["information"].values() for one in parts.values())

    page = (folder / "routing.html").read_text(encoding="utf-8")
    tags = Tags(page)
    assert not tags.open
    assert not any(tag == "script" for tag, _ in tags.seen)
    addresses = [value for _, given in tags.seen for name, value in given.items() if name in ("src", "href")]
    assert addresses
    assert all(address and address.startswith("data:image/jpeg;base64,") for address in addresses)
    for words in ("What the choice of expert tells", "Expert maps", "Do both sort the same tokens alike?"):
        assert words in page


def test_the_table_says_what_the_page_says(run: Run, here: Path, checkpoint: Path) -> None:
    found = run("routing", checkpoint, *QUICK, "--own", "--out", here / "there", tiny=False)
    assert found.code == 0, found.err
    assert "beyond picture" in found.out
    assert "routed alike whatever is asked" in found.out
    assert "there/routing.html" in found.err
    assert json.loads((here / "there" / "routing.json").read_text())["settings"]["wording"] == "canonical"


def test_mistakes_are_one_line(run: Run, here: Path, checkpoint: Path) -> None:
    (here / "file").write_text("")
    for arguments, words in (
        ((checkpoint, "-b", "rsicdd"), "did you mean rsicd"),
        ((checkpoint, "--split", "dev"), "choose test, val or train"),
        ((checkpoint, "--wording", "odd"), "choose varied or canonical"),
        (("nowhere",), "unknown model 'nowhere'"),
        ((checkpoint, "-b", "rsvqa-lr"), "there is nothing to ask"),
        ((checkpoint, *QUICK, "--out", here / "file"), "give another folder"),
        ((checkpoint, *QUICK, "--own", "--wording", "varied"), "canonical wording"),
    ):
        found = run("routing", *arguments, tiny=False)
        assert found.code == 2, found.out
        assert words in found.err
        assert found.err.count("\n") == 1
