"""docs/train-7b.md, done as it stands: what needs GPUs is read, its counterpart in small is run."""

from __future__ import annotations

import pytest

from docs.pages import ROOT, Block, Reader, blocks, check, named

PAGE = ROOT / "docs" / "train-7b.md"


# In the page's order: each goes on where the one before ended.
@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(PAGE), ids=named)
def test_the_page(reader: Reader, block: Block) -> None:
    check(reader, block)
