"""The pictures of the demo open, are small, carry a map position where they should, and were never trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

import skymoe
from skymoe.data.sources import get_source
from skymoe.pictures import open_picture

DEMO = Path(skymoe.__file__).parent / "assets" / "demo"
FROM_UCM = {"storage-tanks": 1992, "airplane": 197, "harbor": 1098, "tennis-courts": 2094, "river": 1698,
            "intersection": 1192}  # fmt: skip


def test_pictures_are_small_and_their_origin_is_told() -> None:
    assert {path.stem for path in DEMO.glob("*.jpg")} == set(FROM_UCM)
    told = (DEMO / "README.md").read_text(encoding="utf-8")
    for path in [*DEMO.glob("*.jpg"), *DEMO.glob("*.tif")]:
        assert path.stat().st_size <= (40_000 if path.suffix == ".jpg" else 250_000)
        assert open_picture(path).size == (256, 256)
        assert path.name in told
    assert "public domain" in (DEMO / "LICENSE.txt").read_text(encoding="utf-8")


def test_the_map_picture_has_a_position_and_infrared() -> None:
    with rasterio.open(DEMO / "farmland.tif") as raster:
        assert (raster.crs.to_epsg(), raster.count, raster.res) == (26914, 4, (5.0, 5.0))


@pytest.mark.data
def test_pictures_come_from_the_test_split(real: Path) -> None:
    source = get_source("ucm-captions", real)
    if not source.state().found:
        pytest.skip(f"no UCM-Captions in {real}")
    test = {sample.id: _pixels(Path(sample.image)) for sample in source.samples("test")}
    for name, number in FROM_UCM.items():
        # Copies of the data set are packed as JPEG of this quality or that: the same picture, not the same bytes.
        pixels = _pixels(DEMO / f"{name}.jpg")
        distances = {key: np.abs(pixels - other).mean() for key, other in test.items()}
        first, second = sorted(distances, key=distances.__getitem__)[:2]
        assert first == f"ucm/{number}"
        assert distances[first] < 4 < 2 * distances[first] + 4 < distances[second]


def _pixels(path: Path) -> NDArray[np.float32]:
    """(256, 256, 3) grey levels, 0–255; 44 pictures of UC Merced are a few pixels smaller or larger."""
    return np.asarray(open_picture(path).resize((256, 256)), dtype=np.float32)
