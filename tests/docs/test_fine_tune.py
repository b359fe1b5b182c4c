"""docs/fine-tune.md, done as it stands: from a COCO file to a model that answers over HTTP."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from docs.pages import ROOT, Block, Reader, blocks, check, named

PAGE = ROOT / "docs" / "fine-tune.md"


# In the page's order: each goes on where the one before ended.
@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(PAGE), ids=named)
def test_the_page(reader: Reader, block: Block) -> None:
    if "import OpenAI" in block.code and find_spec("openai") is None:
        pytest.skip("the openai client is not installed")
    check(reader, block)
