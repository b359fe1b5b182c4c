"""Decoding of pictures: a child process for what strangers wrote, and the formats themselves.

`skymoe.pictures` and `skymoe.rasters` are the doors. GDAL runs only in the child (`worker.py`), which is asked by
`keeper.py`; what the two say to each other is in `wire.py`.
"""
