"""Pictures of data sets that are there and can't be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from skymoe.data.sources.reading import PictureError, picture_size


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
