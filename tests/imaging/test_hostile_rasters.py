"""A picture reaches no network, no other file and no folder, whatever it names and by whatever name.

The picture is black. The only other file is of one colour, which would be in the answer if it were read.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skymoe import rasters
from skymoe.errors import UserError
from skymoe.pictures import open_picture, open_picture_apart

from . import tiffs
from .listening import Listener, untouched

SECRET = 231
WIDTH, HEIGHT = 400, 300
SIZE = (WIDTH // 2, HEIGHT // 2)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasters, "WORKING_PIXELS", 10_000)  # so that reduced copies are looked for


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a TIFF and a PNG of the secret colour, and a text."""
    secret = Image.new("RGB", SIZE, (SECRET,) * 3)
    secret.save(tmp_path / "secret.tif")
    secret.save(tmp_path / "secret.png")
    (tmp_path / "notes.txt").write_text("mine\n")
    return tmp_path


def vrt(source: str, kind: str = "") -> str:
    bands = "".join(
        f"<VRTRasterBand dataType='Byte' band='{band}'><SimpleSource><SourceFilename>{source}</SourceFilename>"
        f"<SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    return f"<VRTDataset rasterXSize='{SIZE[0]}' rasterYSize='{SIZE[1]}' {kind}>{bands}</VRTDataset>"


def mrf(folder: Path, source: str) -> str:
    return (
        f"<MRF_META><CachedSource><Source>{source}</Source></CachedSource><Raster><Size x='{SIZE[0]}' y='{SIZE[1]}' "
        "c='3'/><PageSize x='512' y='512' c='3'/><Compression>NONE</Compression>"
        f"<DataFile>{folder}/notes.txt</DataFile><IndexFile>{folder}/made/x.idx</IndexFile></Raster></MRF_META>"
    )


def wms(address: str) -> str:
    return (
        f"<GDAL_WMS><Service name='TMS'><ServerUrl>{address}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>"
        "<DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>0</UpperLeftY><LowerRightX>1</LowerRightX>"
        f"<LowerRightY>1</LowerRightY><SizeX>{SIZE[0]}</SizeX><SizeY>{SIZE[1]}</SizeY><TileLevel>0</TileLevel>"
        "</DataWindow><BandsCount>3</BandsCount></GDAL_WMS>"
    )


def targets(folder: Path, at: str) -> dict[str, str]:
    """Ways to name something outside the picture, by what would follow them."""
    tif, png = folder / "secret.tif", folder / "secret.png"
    assets = f'[{{"assets":{{"a":{{"href":"{at}/a.tif"}}}}}}]'
    stac = f'{{"type":"FeatureCollection","stac_version":"1.0.0","features":{assets}}}'
    region = f"<SubfileRegion><Filename>{tif}</Filename></SubfileRegion>"
    return {
        "local tiff": str(tif), "local png": str(png), "file address": f"file://{tif}",
        "mrf": mrf(folder, str(png)), "mrf of an address": mrf(folder, f"/vsicurl/{at}/a.none"),
        "wms": wms(at), "wms by name": f"WMS:{at}/?SERVICE=WMS&VERSION=1.1.1&REQUEST=GetMap&LAYERS=a&BBOX=0,0,1,1",
        "wcs": f"<WCS_GDAL><ServiceURL>{at}/?</ServiceURL><CoverageName>a</CoverageName></WCS_GDAL>",
        "wcs by name": f"WCS:{at}/?coverage=a", "wmts": f"WMTS:{at}/wmts.xml,layer=a",
        "wmts inline": f"<GDAL_WMTS><GetCapabilitiesUrl>{at}/w.xml</GetCapabilitiesUrl></GDAL_WMTS>",
        "vrt": vrt(str(png)), "vrt of an address": vrt(f"/vsicurl/{at}/a.none"),
        "warped vrt": vrt(str(tif), "subClass='VRTWarpedDataset'"), "vrt by name": f"vrt://{png}?bands=1,1,1",
        "curl": f"/vsicurl/{at}/a.none", "curl with options": f"/vsicurl?url={at}/a.none",
        "streaming": f"/vsicurl_streaming/{at}/a.none", "http": f"{at}/a.tif",
        "s3": "/vsis3/bucket/a.none", "s3 streaming": "/vsis3_streaming/bucket/a.none",
        "webhdfs": f"/vsiwebhdfs/{at}/webhdfs/v1/a.none", "zip": f"/vsizip//vsicurl/{at}/a.none/a.tif",
        "tar": f"/vsitar//vsicurl/{at}/a.none/a.tif", "gzip": f"/vsigzip//vsicurl/{at}/a.none",
        "stdin": "/vsistdin/", "part of a file": f"/vsisubfile/0_1000000,{tif}", "cached": f"/vsicached?file={tif}",
        "sparse": f"/vsisparse/<VSISparseFile>{region}</VSISparseFile>",
        "crypt": f"/vsicrypt/key=0123456789abcdef,file={tif}", "directory": f"GTIFF_DIR:1:{tif}",
        "raw tiff": f"GTIFF_RAW:{tif}", "derived": f"DERIVED_SUBDATASET:AMPLITUDE:{tif}",
        "tile index": f"GTI:{folder}/a.gti.gpkg", "stac items": f"STACIT:/vsicurl/{at}/a.none", "stac": stac,
        "stac tiles": f"STACTA:/vsicurl/{at}/a.none", "zarr": f'ZARR:"/vsicurl/{at}/a.none"',
        "plmosaic": f"PLMosaic:api_key=x,mosaic=a,cache_path={folder}/made", "hdf5": f'HDF5:"{tif}"://a',
        "netcdf": f"NETCDF:{at}/a.nc:a", "pdf": f"PDF:1:{tif}", "rasterlite": f"RASTERLITE:{folder}/a.sqlite",
        "gpkg": f"GPKG:{folder}/made.gpkg:a", "daas": f"DAAS:{at}/a",
    }  # fmt: skip


NAMED = sorted(targets(Path("/nowhere"), "http://127.0.0.1:1"))


def black(content: bytes) -> None:
    """The answer is the picture alone, or a line; here and away from here."""
    for opener in (open_picture, lambda data: open_picture_apart(data, seconds=60, memory=1 << 30)):
        with suppress(UserError):
            assert np.asarray(opener(content)).max() == 0


@pytest.mark.parametrize("what", NAMED)
def test_notes_in_a_tiff_lead_nowhere(what: str, folder: Path, listener: Listener) -> None:
    target = targets(folder, listener.address)[what]
    with untouched(folder):
        for notes in (
            tiffs.naming(target),
            tiffs.naming(target).replace("OVERVIEW_FILE", "&#79;VERVIEW_FILE"),
        ):
            black(tiffs.tiff(tiffs.picture(WIDTH, HEIGHT, notes=notes)))
    assert listener.heard == []


@pytest.mark.parametrize("what", ["local tiff", "mrf", "curl", "http", "vrt"])
def test_nor_do_notes_of_later_pages_masks_and_copies(what: str, folder: Path, listener: Listener) -> None:
    notes = tiffs.naming(targets(folder, listener.address)[what])
    plain = tiffs.picture(WIDTH, HEIGHT)
    copy = {**tiffs.picture(*SIZE, notes=notes), 254: tiffs.longs(1)}
    mask = {**tiffs.picture(WIDTH, HEIGHT, notes=notes, bands=1), 254: tiffs.longs(4), 262: tiffs.shorts(4)}
    with untouched(folder):
        for pages in ((plain, copy), (plain, mask), (plain, copy, mask), (copy, plain), (plain, mask, copy)):
            black(tiffs.tiff(*pages))
    assert listener.heard == []


@pytest.mark.parametrize("name", ["OVERVIEW_FILE", "MASK", "MASK_FILE", "FILENAME", "SUBDATASET_1_NAME"])
@pytest.mark.parametrize(
    "domain", ["OVERVIEWS", "", "SUBDATASETS", "IMAGE_STRUCTURE", "xml:VRT", "DERIVED_SUBDATASETS"]
)
def test_nor_do_other_notes(name: str, domain: str, folder: Path, listener: Listener) -> None:
    with untouched(folder):
        for target in (
            f"{folder}/secret.tif",
            f"/vsicurl/{listener.address}/a.none",
            f"{listener.address}/a.tif",
        ):
            black(tiffs.tiff(tiffs.picture(WIDTH, HEIGHT, notes=tiffs.naming(target, name, domain))))
    assert listener.heard == []


def test_side_files_are_not_looked_at(folder: Path, listener: Listener) -> None:
    picture = folder / "x.tif"
    picture.write_bytes(tiffs.tiff(tiffs.picture(WIDTH, HEIGHT)))
    deep = folder / "x.png"
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint16)).save(deep)
    secret = f"{folder}/secret.tif"
    for target in (secret, vrt(secret), f"/vsicurl/{listener.address}/a.none", f"{listener.address}/a.tif"):
        pam = (
            tiffs.naming(target)
            .replace("GDALMetadata", "PAMDataset")
            .replace("<Item", "<Metadata domain='OVERVIEWS'><MDI")
        )
        pam = (
            pam.replace("name=", "key=")
            .replace(' domain="OVERVIEWS"', "")
            .replace("</Item>", "</MDI></Metadata>")
        )
        for side in ("x.tif.aux.xml", "x.aux.xml", "x.png.aux.xml"):
            (folder / side).write_text(pam)
        for side in ("x.tif.ovr", "x.tif.msk", "x.ovr", "x.png.ovr", "x.png.msk", "x.rrd", "x.aux"):
            (folder / side).write_text(vrt(secret))
        for side in (
            "x.tfw",
            "x.wld",
            "x.IMD",
            "x.RPB",
            "x_RPC.TXT",
            "x.xml",
            "x.tab",
            "x.tif.xml",
            "METADATA.DIM",
        ):
            (folder / side).write_text("1\n0\n0\n-1\n0\n0\n")
        with untouched(folder):
            assert np.asarray(open_picture(picture)).max() == 0
            assert np.asarray(open_picture(deep)).max() == 0
    assert listener.heard == []


def test_the_listener_and_the_watch_would_notice(folder: Path, listener: Listener) -> None:
    with socket.create_connection(("127.0.0.1", int(listener.address.rpartition(":")[2]))) as connection:
        connection.sendall(b"GET /")
        connection.recv(1)
    assert listener.heard == [b"GET /"]
    with pytest.raises(AssertionError), untouched(folder):
        (folder / "made").mkdir()
    with pytest.raises(AssertionError):
        assert np.asarray(open_picture(folder / "secret.tif")).max() == 0
