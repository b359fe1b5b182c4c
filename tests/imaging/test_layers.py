"""Each thing that keeps GDAL from other files and the network, by itself."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skymoe import rasters
from skymoe.errors import UserError
from skymoe.imaging.child import _environment
from skymoe.imaging.tiff_tags import TiffTags
from skymoe.pictures import open_picture

from . import pngs, tiffs
from .listening import Listener

CODE = """
import sys
from skymoe.imaging import decoders, gdal, worker
from skymoe.imaging.bands import read_bands
from skymoe.imaging.limits import Limits
from skymoe.imaging.tiff_tags import TiffTags
import numpy as np
print(decoders.confine())
file = open(sys.argv[2], "rb")
patches = {}
if sys.argv[1] == "tags":
    patches = TiffTags(file, 1 << 20, "x").patches
if sys.argv[1] == "lock":
    decoders.warm_up()
    worker._lock()
    for attempt in (lambda: open(sys.argv[2]), lambda: __import__("socket").socket()):
        try:
            attempt()
        except OSError:
            print("locked")
with gdal.opened(gdal.Served(file, patches), "GTiff", "x") as raster:
    print(np.asarray(read_bands(raster, "x", Limits(pixels=10_000), 1 << 20)).max())
"""


def alone(layer: str, content: bytes, folder: Path) -> list[str]:
    """What a process says that has GDAL's drivers taken away, and `layer`."""
    (folder / "given.tif").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE, layer, str(folder / "given.tif")],
        env=_environment([]), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


def test_only_two_drivers_are_there_and_the_others_need_no_lock_to_stay_away(tmp_path: Path) -> None:
    listener = Listener()
    Image.new("RGB", (200, 150), (231,) * 3).save(tmp_path / "secret.png")
    for target in (
        f"<MRF_META><CachedSource><Source>{tmp_path}/secret.png</Source></CachedSource><Raster><Size x='200' y='150' "
        f"c='3'/></Raster></MRF_META>",
        f"{listener.address}/a.tif",
        f"WMTS:{listener.address}/w.xml",
    ):
        content = tiffs.tiff(tiffs.picture(400, 300, notes=tiffs.naming(target)))
        assert alone("drivers", content, tmp_path) == ["[]", "0"]
    listener.close()
    assert listener.heard == []


@pytest.mark.parametrize("layer", ["drivers", "tags", "lock"])
def test_a_tiff_that_names_a_tiff_needs_one_of_two_locks(layer: str, tmp_path: Path) -> None:
    Image.new("RGB", (200, 150), (231,) * 3).save(tmp_path / "secret.tif")
    content = tiffs.tiff(tiffs.picture(400, 300, notes=tiffs.naming(f"{tmp_path}/secret.tif")))
    said = {"drivers": ["[]", "231"], "tags": ["[]", "0"], "lock": ["[]", "locked", "locked", "0"]}
    if layer == "lock" and sys.platform == "win32":
        pytest.skip("Windows knows no such limits")
    assert alone(layer, content, tmp_path) == said[layer]


def test_a_driver_that_we_have_not_heard_of_is_noticed_and_taken_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from skymoe.imaging import gdal_drivers
    from skymoe.imaging.child import Child

    monkeypatch.setattr(gdal_drivers, "_KNOWN", "VRT, MEM")  # of more than a hundred
    child = Child("x")
    assert child.sound
    child.end()


def test_gdal_is_not_in_the_users_process(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(tiffs.tiff(tiffs.picture(40, 30)))
    code = "import sys; from skymoe.pictures import open_picture as o; o('x.tif'); print('rasterio' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "False\n", done.stderr


def test_settings_of_the_user_do_not_reach_gdal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GDAL_SKIP": "GTiff", "GDAL_CACHEMAX": "1", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    given = _environment([])
    assert "GTiff" not in given["GDAL_SKIP"].split(",")
    assert not {"GDAL_CACHEMAX", "AWS_SECRET_ACCESS_KEY", "HOME"} & set(given)


def test_notes_keep_their_length_and_nothing_but_the_bands_colours() -> None:
    role = '<Item name="COLORINTERP" sample="0" role="colorinterp">Blue</Item>'
    notes = f'<GDALMetadata><Item name="A">{"x" * 50}</Item>{role}<Item name="OVERVIEW_FILE">y</Item></GDALMetadata>'
    content = tiffs.tiff(tiffs.picture(40, 30, notes=notes), tiffs.picture(20, 15, notes="<GDALMetadata>z"))
    patches = TiffTags(io.BytesIO(content), len(content), "x").patches
    kept = [patches[at].rstrip(b" \0").decode() for at in sorted(patches)]
    assert kept == [f"<GDALMetadata>{role}</GDALMetadata>", ""]
    assert sorted(map(len, patches.values())) == sorted((len(notes) + 1, len("<GDALMetadata>z") + 1))
    assert all(content[at : at + len(patch)].endswith(b"\0") for at, patch in patches.items())


def test_notes_over_a_directory_and_endless_directories_are_refused() -> None:
    page = tiffs.picture(40, 30, notes=tiffs.naming("x" * 100))
    content = bytearray(tiffs.tiff(page))
    at = content.index(b"\x80\xa4") + 8  # where the notes' offset stands
    content[at : at + 4] = (8).to_bytes(4, "little")
    with pytest.raises(UserError, match="its GDAL_METADATA overlaps its tags"):
        open_picture(bytes(content))
    with pytest.raises(UserError, match="has more than 20,000 directories"):
        open_picture(tiffs.tiff(*[{254: tiffs.longs(0)}] * 20_001))


def test_an_honest_geotiff_keeps_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import rasterio
    from rasterio.enums import ColorInterp

    monkeypatch.setattr(rasters, "WORKING_PIXELS", 10_000)
    path = tmp_path / "honest.tif"
    values = np.stack([np.full((300, 400), value, np.uint8) for value in (210, 60, 30, 9)])
    values[:, :150] = 0
    with rasterio.open(
        path, "w", driver="GTiff", count=4, height=300, width=400, dtype="uint8", nodata=0, crs="EPSG:26914",
        transform=rasterio.transform.from_origin(0, 0, 1, 1), tiled=True, blockxsize=64, blockysize=64,
    ) as raster:  # fmt: skip
        raster.write(values)
        raster.colorinterp = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined]
        raster.update_tags(1, STATISTICS_MEAN="7", STATISTICS_MAXIMUM="9")
        raster.scales, raster.offsets = (0.5,) * 4, (3.0,) * 4
        raster.build_overviews([2, 4])
    picture = open_picture(path)
    assert picture.info["file_size"] == (400, 300)
    assert picture.getpixel((50, 10)) == (0, 0, 0)
    assert picture.getpixel((50, 80)) == (30, 60, 210)


def test_the_size_of_a_data_sets_picture_is_read_without_gdal(tmp_path: Path) -> None:
    from skymoe.data.sources.reading import PictureError, picture_size

    (tmp_path / "x.tif").write_bytes(
        tiffs.tiff(tiffs.picture(40_000, 30_000, bands=7))
    )  # Pillow knows no seven bands
    (tmp_path / "x.png").write_bytes(pngs.png(20_000, 10_000, colour=0, depth=1))
    turned = {**tiffs.picture(40_000, 30_000, bands=7), 274: tiffs.shorts(6)}
    (tmp_path / "turned.tif").write_bytes(tiffs.tiff(turned))
    # GDAL would open it with any of its drivers.
    (tmp_path / "no.png").write_bytes(b"\x89PNG" + b"<VRTDataset rasterXSize='4' rasterYSize='4'/>")
    assert picture_size(tmp_path / "x.tif", "here") == (40_000, 30_000)
    assert picture_size(tmp_path / "turned.tif", "here") == (30_000, 40_000)
    assert picture_size(tmp_path / "x.png", "here") == (20_000, 10_000)
    with pytest.raises(PictureError, match=r"no\.png is damaged"):
        picture_size(tmp_path / "no.png", "here")


def test_gdal_is_imported_nowhere_but_in_the_worker() -> None:
    source = Path(rasters.__file__).parent
    using = {
        path.name
        for path in source.rglob("*.py")
        if "import rasterio" in (t := path.read_text()) or "from rasterio" in t
    }
    assert using == {"gdal.py", "bands.py", "lines.py"}


def test_pillow_is_always_told_which_formats_may_be_read() -> None:
    """Without that it tries all it knows, some of which start other programs."""
    calls = [
        (path.name, call)
        for path in Path(rasters.__file__).parent.rglob("*.py")
        for call in re.findall(r"Image\.open\([^\n]*", path.read_text(encoding="utf-8"))
    ]
    assert calls
    assert [one for one in calls if "formats=" not in one[1]] == []
