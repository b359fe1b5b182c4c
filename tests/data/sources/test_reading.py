"""Files of a data set that are not what they should be are one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from skymoe.data.sources.reading import read_json
from skymoe.errors import UserError


@pytest.mark.parametrize(
    "text", ["[" * 100_000, f"[1{'0' * 5000}]", "[1,", '"\\ud83d', "\ud800"], ids=range(5)
)
def test_json_that_cannot_be_read_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(
        UserError, match=r"here: .*x\.json can't be read .*; get the data set again"
    ) as caught:
        read_json(tmp_path / "x.json", "here")
    assert "\n" not in str(caught.value)
