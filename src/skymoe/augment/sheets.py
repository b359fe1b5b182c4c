"""Before/after sheets: originals and what was made of them side by side, boxes drawn, with what was done in words."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from skymoe.augment.folder import PREVIEWS, inside_folder, read_samples, write_whole
from skymoe.pictures import open_picture
from skymoe.sample import Region, Sample
from skymoe.tasks.wording import pluralise

CELL, GAP, TEXT = 256, 8, 40
BEFORE, AFTER = (255, 200, 40), (60, 230, 90)
DONE = {"relocate": "relocated", "recolour": "recoloured"}
Row = tuple[Sample, list[Sample]]


def sheets(folder: Path, pairs: int = 24, rows: int = 6) -> list[Path]:
    """JPEG sheets of some of a folder's pairs in its `previews/`, ``rows`` of them on each; the choice is fixed."""
    chosen = choose(_rows(read_samples(folder)), pairs)
    found = []
    for start in range(0, len(chosen), rows):
        path = folder / PREVIEWS / f"sheet-{start // rows + 1:02d}.jpg"
        file = io.BytesIO()
        draw(chosen[start : start + rows], folder).save(file, "JPEG", quality=88)
        write_whole(path, file.getvalue())
        found.append(path)
    return found


def choose(rows: Iterable[Row], pairs: int) -> list[Row]:
    """So many rows, by a hash of their ids: neither the first ones only, nor others each time."""
    ordered = sorted(rows, key=lambda row: hashlib.sha256(row[0].id.encode()).digest())
    return ordered[:pairs]


def _rows(samples: Iterable[Sample]) -> list[Row]:
    rows: list[Row] = []
    for sample in samples:
        if not sample.edits:
            rows.append((sample, []))
        elif rows and rows[-1][0].pair == sample.pair:
            rows[-1][1].append(sample)
    return [row for row in rows if row[1]]


def draw(rows: Sequence[Row], folder: Path) -> Image.Image:
    """One row for each original with its variants; rows with one variant stand two beside each other."""
    most = max((len(variants) for _, variants in rows), default=1)
    beside = 2 if most == 1 and len(rows) > 1 else 1
    columns = (most + 1) * beside
    lines = -(-len(rows) // beside)
    sheet = Image.new("RGB", (columns * (CELL + GAP) + GAP, lines * (CELL + TEXT + GAP) + GAP), "white")
    for number, (original, variants) in enumerate(rows):
        top = GAP + number // beside * (CELL + TEXT + GAP)
        left = GAP + number % beside * (most + 1) * (CELL + GAP)
        for place, sample in enumerate((original, *variants)):
            picture, words = _cell(sample, variants[0], folder)
            x = left + place * (CELL + GAP)
            sheet.paste(picture, (x, top))
            pen = ImageDraw.Draw(sheet)
            font = ImageFont.load_default(13)
            for line, text in enumerate(words):
                pen.text((x, top + CELL + 3 + 17 * line), _fitted(text, font), fill="black", font=font)
    return sheet


def _cell(sample: Sample, first: Sample, folder: Path) -> tuple[Image.Image, list[str]]:
    picture = open_picture(inside_folder(folder, sample.image))
    scale = CELL / max(picture.size)
    picture = picture.resize(
        (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
    )
    canvas = Image.new("RGB", (CELL, CELL), "white")
    canvas.paste(picture, (0, 0))
    edit = (sample.edits or first.edits)[-1]
    done = bool(sample.edits)
    if edit.kind == "cutout":
        assert edit.count is not None
        count = edit.count[1] if done else edit.count[0]
        words = [f"{count} {pluralise(edit.name) if count != 1 else edit.name}"]
        words.append(f"{edit.count[0] - edit.count[1]} masked ({edit.fill})" if done else "original")
        marked: tuple[Region, ...] = tuple(r for r in sample.regions if r.name == edit.name)
        colour = AFTER if done else BEFORE
    else:
        assert edit.phrase is not None
        words = [edit.phrase[1] if done else edit.phrase[0], DONE[edit.kind] if done else "original"]
        marked = edit.after if done else edit.before
        colour = AFTER if done else BEFORE
    for region in marked:
        _outline(canvas, region, scale, colour)
    return canvas, words


def _outline(canvas: Image.Image, region: Region, scale: float, colour: tuple[int, int, int]) -> None:
    pen = ImageDraw.Draw(canvas)
    x1, y1, x2, y2 = region.box
    polygon = region.polygon or (x1, y1, x2, y1, x2, y2, x1, y2)
    points = [(x * scale, y * scale) for x, y in zip(polygon[0::2], polygon[1::2], strict=True)]
    pen.line([*points, points[0]], fill=(0, 0, 0), width=3, joint="curve")
    pen.line([*points, points[0]], fill=colour, width=1, joint="curve")


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text as far as it fits under its picture."""
    if font.getlength(text) <= CELL:
        return text
    while text and font.getlength(text + "…") > CELL:
        text = text[:-1]
    return text + "…"
