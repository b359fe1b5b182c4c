"""How pages are read: what is run, what is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.pages import ROOT, Block, agrees, blocks, commands_parse
from skymoe.errors import UserError


@pytest.mark.parametrize("name", ["fine-tune", "train-7b"])
def test_no_block_is_overlooked(name: str) -> None:
    page = ROOT / "docs" / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    found = blocks(page)
    assert len(found) == text.count("```sh\n") + text.count("```python\n") >= 10
    assert sum(not one.runs for one in found) == text.count("<!-- not run: ")
    assert sum(one.printed is not None for one in found) == text.count("```text\n")


def test_what_follows_a_block_is_what_it_prints(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("<!-- not run: no -->\n```sh\na\n```\nwords\n```python\nb\n```\n\n```text\nc\n```\n")
    assert blocks(page) == [Block("sh", "a\n", "not run: no"), Block("python", "b\n", "", "c\n")]


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("a 1\nb\nc\n", "a …\n…\nc\n", True),
        ("a\n", "a\n…\n", True),
        ("a  \n", "a\n", True),
        ("a\nb\n", "a\n", False),
        ("a\nb\n", "a\nc\n", False),
        ("a (1)\n", "a .1.\n", False),
    ],
)
def test_dots_stand_for_anything(printed: str, shown: str, same: bool) -> None:
    assert agrees(printed, shown) is same


def test_commands_that_are_only_shown_must_be_commands() -> None:
    train = "torchrun --nproc-per-node 8 -m skymoe train recipes/skymoe-7b-stage2.yaml"
    commands_parse(Block("sh", f"{train} --set parallel=experts   # FSDP2\nskymoe data list\nls\n"))
    with pytest.raises(UserError, match="parallel"):
        commands_parse(Block("sh", f"{train} --set parallel=tensor\n"))
    with pytest.raises(Exception, match="No such option: --nothing"):
        commands_parse(Block("sh", "skymoe plan skymoe-7b --nothing 8\n"))
    with pytest.raises(KeyError):
        commands_parse(Block("sh", "skymoe fly\n"))
