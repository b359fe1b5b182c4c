"""Files of a data set that are not what they should be, or can't be read, are one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from skymoe.data.sources.reading import PictureError, picture_size, read_json
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


def test_a_folder_called_like_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(PictureError, match=r"a\.png can't be read \(Is a directory\); make it readable"):
        picture_size(tmp_path / "a.png", "own")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read anything")
def test_a_picture_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path)
    path.chmod(0)
    with pytest.raises(PictureError, match=r"can't be read \(Permission denied\); make it readable"):
        picture_size(path, "own")
