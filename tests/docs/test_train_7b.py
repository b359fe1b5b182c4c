"""docs/train-7b.md, done as it stands: what needs GPUs is read, its counterpart in small is run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from docs.pages import ROOT, Block, Reader, blocks, check, named

PAGE = ROOT / "docs" / "train-7b.md"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    reader = Reader(tmp_path_factory.mktemp("train-7b"))
    yield reader
    reader.close()


# In the page's order: each goes on where the one before ended.
@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(PAGE), ids=named)
def test_the_page(reader: Reader, block: Block) -> None:
    check(reader, block)
