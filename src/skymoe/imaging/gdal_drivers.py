"""The drivers that a GDAL may bring, and the settings that keep it from using any but those we need."""

from __future__ import annotations

import os

SETTINGS = {
    "GDAL_CONFIG_FILE": os.devnull,  # nor the user's ~/.gdal/gdalrc
    "GDAL_DRIVER_PATH": "disable",  # no plugins
    "OGR_DRIVER_PATH": "disable",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "PROJ_NETWORK": "OFF",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",  # each would take 64 MB of what a picture may take, though it uses none of it
}
"""Environment of the process, before GDAL is loaded."""

_KNOWN = """
    AAIGrid, ACE2, ADBC, ADRG, AIG, AirSAR, AIVector, AmigoCloud, ARG, Arrow, AVCBin, AVCE00, AVIF, BAG, BASISU,
    BIGGIF, BLX, BMP, BSB, BT, BYN, CAD, CALS, Carto, CEOS, COASP, COG, COSAR, CPG, CSV, CSW, CTable2, CTG,
    DAAS, DDS, DERIVED, DGN, DIMAP, DIPEx, DOQ1, DOQ2, DTED, DWG, DXF, ECRGTOC, ECW, EDIGEO, EEDA, EEDAI, EHdr,
    EIR, ELAS, ElasticSearch, ENVI, ERS, ESAT, ESRI Shapefile, ESRIC, ESRIJSON, EXR, FAST, FileGDB, FIT, FITS,
    FlatGeobuf, GDALG, GenBin, GeoJSON, GeoJSONSeq, GeoRaster, GFF, GIF, GML, GMLAS, GNMDatabase, GNMFile, GPKG,
    GPSBabel, GPX, GRASSASCIIGrid, GRIB, GS7BG, GSAG, GSBG, GSC, GTFS, GTI, GTX, GXF, HANA, HDF4, HDF4Image,
    HDF5, HDF5Image, HEIF, HF2, HFA, HTTP, Idrisi, ILWIS, Interlis 1, Interlis 2, IRIS, ISCE, ISG, ISIS2, ISIS3,
    JAXAPALSAR, JDEM, JML, JP2ECW, JP2KAK, JP2Lura, JP2MrSID, JP2OpenJPEG, JPEG, JPEGXL, JPIPKAK, JSONFG, KEA,
    KML, KMLSUPEROVERLAY, KRO, KTX2, L1B, LAN, LCP, Leveller, LIBERTIFF, LIBKML, LOSLAS, LVBAG, MAP, MapInfo
    File, MapML, MBTiles, MEM, Memory, MFF, MFF2, MiraMon, MiraMonVector, MongoDBv3, MRF, MrSID, MSGN,
    MSSQLSpatial, MVT, MySQL, NAS, NDF, netCDF, NGSGEOID, NGW, NITF, NOAA_B, NSIDCbin, NTv2, NUMPY, NWT_GRC,
    NWT_GRD, OAPIF, OCI, ODBC, ODS, OGCAPI, OGDI, OGR_GMT, OGR_PDS, OGR_VRT, OpenFileGDB, OPENJPEG, OSM, OZI,
    Parquet, PAux, PCIDSK, PCRaster, PDF, PDFVector, PDS, PDS4, PGDUMP, PGeo, PLMOSAIC, PLSCENES, PMTiles, PNM,
    PostGISRaster, PostgreSQL, PRF, R, Rasterlite, RASTERLITE2, RCM, RDB, RIK, RMF, ROI_PAC, RPFTOC, RRASTER,
    RS2, RST, S102, S104, S111, S57, SAFE, SAGA, SAR_CEOS, SDTS, Selafin, SENTINEL2, SGI, SIGDEM, SNAP_TIFF,
    SNODAS, SOSI, SQLite, SRP, SRTMHGT, STACIT, STACTA, SVG, SXF, Terragen, TGA, TIGER, TIL, TileDB, TopoJSON,
    TSX, UK .NTF, USGSDEM, VDV, VFK, VICAR, VRT, WAsP, WCS, WEBP, WFS, WMS, WMTS, XLS, XLSX, XODR, XPM, XYZ,
    Zarr, ZMap
"""


def skipping(also: list[str]) -> str:
    """`GDAL_SKIP` for every driver that was ever heard of, and `also`, but for those of `gdal.DRIVERS`.

    GDAL has no word for "all others". The list only saves a start: the process looks what is left, and is started
    again without that.
    """
    known = " ".join(_KNOWN.split()).split(", ")
    return ",".join(dict.fromkeys([*known, *also]))
