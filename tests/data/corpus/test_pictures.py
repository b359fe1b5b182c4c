"""Where a corpus's pictures go, which their heads decide."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from skymoe.data.corpus.pictures import place
from skymoe.errors import UserError
from skymoe.sample import Sample


def sample(path: Path) -> Sample:
    return Sample(id="a", image=str(path), source="own", split="train", licence="", width=8, height=8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_whole_picture_is_kept_as_it_is(kind: str, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a", kind)
    assert place(sample(tmp_path / "a"), "own").original


@pytest.mark.parametrize("kind", ["PCX", "TGA", "PPM", "EPS"])
def test_no_other_decoder_of_pillow_is_tried(kind: str, tmp_path: Path) -> None:
    """Some of them start programs, and none was meant."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", kind)
    with pytest.raises(UserError, match=r"a\.jpg: cannot be read as an image"):
        place(sample(tmp_path / "a.jpg"), "own")
