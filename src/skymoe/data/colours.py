"""The colour of an annotated object, measured from its pixels, and phrases that tell it by its colour.

A pixel has a colour word only where CIE Lab leaves little doubt; an object only where at least 70 % of its
pixels have that word. "The green storage tank" names one object when of the others of its class none has more
than 20 % pixels that might be called green with a wider notion of the word, and all of them could be measured.
Everything else has no colour here: a wrong colour costs more than a missing one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from skymoe.sample import Expression, Region, Sample

COLOURS = ("white", "black", "red", "orange", "yellow", "green", "blue")
CLEAR = 0.70
TRACE = 0.20
FEWEST_PIXELS = 30
CORE = 0.6
"""Without a polygon only the middle of the box is measured, this share of each side: its corners are ground."""

# Hue in degrees of Lab's a-b plane (0 red-purple, 90 yellow, 180 green, 270 blue), least chroma, least and most L.
_HUES: dict[str, tuple[float, float, float, float, float]] = {
    "red": (10, 45, 35, 15, 80),
    "orange": (50, 72, 40, 40, 90),
    "yellow": (80, 108, 35, 55, 100),
    "green": (115, 175, 20, 15, 95),
    "blue": (230, 305, 20, 12, 90),
}


def lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE Lab (D65) of sRGB values, [..., 3]."""
    part = rgb.astype(np.float64) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = linear @ matrix.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )


def colour_shares(pixels: NDArray[np.uint8], doubtful: bool = False) -> dict[str, float]:
    """The share of the pixels [N, 3] that surely have each colour word; `doubtful`: that might be called so.

    Surely, the shares need not sum to 1; doubtfully, a pixel may have several words.
    """
    lightness, a, b = np.moveaxis(lab(pixels), -1, 0)
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    wide = 1 if doubtful else 0
    grey = chroma < 12 + 8 * wide
    shares = {
        "white": float(((lightness > 78 - 12 * wide) & grey).mean()),
        "black": float(((lightness < 22 + 14 * wide) & grey).mean()),
    }
    for name, (low, high, least, dark, bright) in _HUES.items():
        fits = (hue >= low - 12 * wide) & (hue <= high + 12 * wide) & (chroma >= least - 10 * wide)
        fits &= (lightness >= dark - 10 * wide) & (lightness <= bright + 10 * wide)
        shares[name] = float(fits.mean())
    return shares


def object_pixels(picture: Image.Image, region: Region | Expression) -> NDArray[np.uint8]:
    """The pixels [N, 3] of an object: inside its polygon, else an ellipse in the middle of its box."""
    x1, y1, x2, y2 = region.box
    left, top = max(int(x1), 0), max(int(y1), 0)
    right, bottom = min(int(np.ceil(x2)), picture.width), min(int(np.ceil(y2)), picture.height)
    if right <= left or bottom <= top:
        return np.empty((0, 3), np.uint8)
    mask = Image.new("1", (right - left, bottom - top))
    pen = ImageDraw.Draw(mask)
    if region.polygon is not None and len(region.polygon) >= 6:
        xs, ys = region.polygon[::2], region.polygon[1::2]
        pen.polygon([(x - left, y - top) for x, y in zip(xs, ys, strict=True)], fill=1)
    else:
        inset_x, inset_y = (x2 - x1) * (1 - CORE) / 2, (y2 - y1) * (1 - CORE) / 2
        pen.ellipse(
            (x1 + inset_x - left, y1 + inset_y - top, x2 - inset_x - left, y2 - inset_y - top), fill=1
        )
    return np.asarray(picture.crop((left, top, right, bottom)))[np.asarray(mask)]


def colour_phrases(sample: Sample, picture: Image.Image) -> list[Expression]:
    """Phrases that name exactly one object by its colour, class by class; only classes annotated exhaustively.

    `picture` is the sample's, RGB, as large as the sample says.
    """
    found: list[Expression] = []
    for name in sorted(sample.complete):
        objects = [region for region in sample.regions if region.name == name]
        if len(objects) < 2:
            continue
        pixels = [object_pixels(picture, region) for region in objects]
        if min(map(len, pixels)) < FEWEST_PIXELS:
            continue
        sure = [colour_shares(each) for each in pixels]
        maybe = [colour_shares(each, doubtful=True) for each in pixels]
        for colour in COLOURS:
            clear = [place for place, share in enumerate(sure) if share[colour] >= CLEAR]
            traces = [place for place, share in enumerate(maybe) if share[colour] > TRACE]
            if len(clear) == 1 and traces == clear and not objects[clear[0]].difficult:
                one = objects[clear[0]]
                found.append(Expression(f"the {colour} {name}", one.box, one.polygon))
    return found
