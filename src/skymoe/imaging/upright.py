"""The orientation that cameras note beside the pixels."""

from __future__ import annotations

from PIL import Image

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture turned and mirrored as TIFF's and EXIF's orientation, 1 to 8, says; `info["file_size"]` turns too."""
    turn = _TRANSPOSE.get(orientation)
    if turn is None:
        return picture
    turned = picture.transpose(turn)
    turned.info = dict(picture.info)
    if orientation >= 5:
        turned.info["file_size"] = picture.info["file_size"][::-1]
    return turned
