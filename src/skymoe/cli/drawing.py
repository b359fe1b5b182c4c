"""Boxes drawn on pictures of their own size, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from skymoe.answer import Answer
from skymoe.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

    from skymoe.engine.opened import Opened

INSIDE, OUTSIDE = (255, 64, 32), (255, 255, 255)
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}


class Drawing:
    """Writes each answered picture with its boxes to one file, or for many pictures into a folder.

    Raises:
        UserError: at once where ``path`` cannot be what it must be.
    """

    def __init__(self, path: Path, *, many: bool) -> None:
        self.path = path
        self.many = many or path.is_dir()
        self._taken: set[str] = set()
        if self.many:
            if path.exists() and not path.is_dir():
                raise UserError(f"--draw {path}: is a file; for many pictures give a folder")
        elif path.suffix.lower() not in _FORMATS:
            raise UserError(f"--draw {path}: unknown kind of picture; end the name in {', '.join(_FORMATS)}")

    def __call__(self, image: str, picture: Opened, answer: Answer) -> None:
        """Draw and write.

        Raises:
            UserError: where the file cannot be written.
        """
        target = self._target(image)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _save(with_boxes(picture, answer), target)
        except OSError as error:
            raise UserError(f"--draw {target}: cannot be written ({error.strerror or error})") from error

    def _target(self, image: str) -> Path:
        if not self.many:
            return self.path
        stem, number = Path(image).stem, 1
        name = f"{stem}.png"
        while name in self._taken:  # pictures of one name from several folders
            number += 1
            name = f"{stem}-{number}.png"
        self._taken.add(name)
        return self.path / name


def with_boxes(picture: Opened, answer: Answer) -> Image.Image:
    """The picture with the answer's boxes, turned ones as they are turned."""
    from PIL import ImageDraw

    drawn = picture.picture.copy()
    pen = ImageDraw.Draw(drawn)
    width = max(2, round(min(drawn.size) / 120))
    across, down = drawn.width / picture.size[0], drawn.height / picture.size[1]
    for box in answer.boxes:
        corners = box.polygon()
        points = [(x * across, y * down) for x, y in zip(corners[0::2], corners[1::2], strict=True)]
        outline = [
            *points,
            points[0],
            points[1],
        ]  # once round and a side more, so that the last corner is closed
        for colour, wide in ((OUTSIDE, width + 2), (INSIDE, width)):
            pen.line(outline, fill=colour, width=wide, joint="curve")
    return drawn


def _save(picture: Image.Image, target: Path) -> None:
    """Under another name first, so that no half-written picture is ever left under this one."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix)
    try:
        with os.fdopen(handle, "wb") as file:
            picture.save(
                file, _FORMATS[target.suffix.lower()], **({"quality": 92} if "j" in target.suffix else {})
            )
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
