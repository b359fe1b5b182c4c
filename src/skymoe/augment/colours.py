"""Colours of pixels in CIE Lab: what they are called, and how one is moved to another.

Only the chroma is moved: L* of every pixel stays, so texture and shading do. What has little chroma on a coloured
object (white lines on a blue court) keeps little. Colours that sRGB does not have at a pixel's lightness are drawn
towards grey until it does; that is why white cannot become red, only pink, and such a swap is refused.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skymoe.augment.edited import Pixels
from skymoe.augment.opencv import opencv

Lab = NDArray[np.float32]

GREY_BELOW = 11.0
"""Chroma (Lab) below which a pixel is white, grey or black."""
WORDS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "grey", "black", "")
_RED, _ORANGE, _YELLOW, _GREEN, _BLUE, _PURPLE, _PINK, _BROWN, _WHITE, _GREY, _BLACK, _NONE = range(
    len(WORDS)
)
# A cream-coloured tank is not called yellow, nor a dusty roof red.
_LEAST_CHROMA = np.array([30.0, 32.0, 32.0, 18.0, 18.0, 20.0, 18.0, 20.0, 0.0, 0.0, 0.0, 0.0])
# Hue angles (degrees in the a-b plane) where the hues begin; the last reaches round to the first.
_HUE_STARTS = np.array([15.0, 50.0, 78.0, 112.0, 205.0, 304.0, 336.0])
_HUE_WORDS = np.array([_RED, _ORANGE, _YELLOW, _GREEN, _BLUE, _PURPLE, _PINK])
TARGETS: dict[str, tuple[float, float]] = {
    "red": (32.0, 60.0), "yellow": (96.0, 62.0), "green": (142.0, 45.0), "blue": (282.0, 48.0), "purple": (318.0, 45.0),
}  # fmt: skip
"""Colours that can be moved to: hue angle and chroma."""


def to_lab(pixels: Pixels) -> Lab:
    """[…, 3] RGB to L* 0–100, a*, b*."""
    return opencv().cvtColor(pixels.astype(np.float32) / 255.0, opencv().COLOR_RGB2Lab)


def names(lab: Lab) -> NDArray[np.intp]:
    """What each of the pixels [n, 3] is called, as places in :data:`WORDS`; "" for pale ones nobody has a word for."""
    lightness, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    # Below the first angle it is still the last word.
    found = np.take(_HUE_WORDS, np.searchsorted(_HUE_STARTS, hue, side="right") - 1)
    found[(found == _ORANGE) & (lightness < 55)] = _BROWN
    found[(found == _YELLOW) & (lightness < 50)] = _BROWN
    found[(found == _RED) & (lightness > 66)] = _PINK
    found[chroma < _LEAST_CHROMA[found]] = _NONE
    grey = chroma < GREY_BELOW
    found[grey] = np.where(lightness > 82, _WHITE, np.where(lightness < 20, _BLACK, _GREY))[grey]
    return found


def shares(lab: Lab) -> dict[str, float]:
    """Which colours the pixels [n, 3] have, as shares of them, the largest first."""
    counts = np.bincount(names(lab), minlength=len(WORDS)) / max(len(lab), 1)
    order = np.argsort(-counts, kind="stable")
    return {WORDS[i]: float(counts[i]) for i in order if counts[i] > 0 and WORDS[i]}


def move_chroma(lab: Lab, main: NDArray[np.bool_], colour: str) -> Lab:
    """The pixels [n, 3] with the colour of the ``main`` ones moved to ``colour``; L* is kept exactly."""
    angle, strength = TARGETS[colour]
    mean = lab[main, 1:].mean(axis=0)
    if np.hypot(*mean) >= GREY_BELOW:
        # Not much stronger than it was: a weathered roof becomes another weathered roof.
        strength = min(strength, max(38.0, 1.3 * float(np.hypot(*mean))))
    goal = strength * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    if np.hypot(*mean) >= GREY_BELOW:
        # Turned and scaled: grey stays grey, strong stays strong.
        turn = np.radians(angle) - np.arctan2(mean[1], mean[0])
        scale = strength / np.hypot(*mean)
        cos, sin = scale * np.cos(turn), scale * np.sin(turn)
        moved = lab[:, 1:] @ np.array([[cos, sin], [-sin, cos]])
        length = np.hypot(moved[:, 0], moved[:, 1])
        moved *= np.minimum(1.0, 1.5 * strength / np.maximum(length, 1e-6))[:, None]
    else:
        moved = lab[:, 1:] - mean + goal
    return np.concatenate([lab[:, :1], moved], axis=1).astype(np.float32)


def to_pixels(lab: Lab) -> Pixels:
    """[n, 3] to RGB; chroma is reduced, not clipped, where sRGB ends, so that L* stays."""
    low, high = np.zeros(len(lab), np.float32), np.ones(len(lab), np.float32)
    for _ in range(8):
        middle = ((low + high) / 2).astype(np.float32)
        inside = _in_gamut(lab, middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    share = np.where(_in_gamut(lab, np.ones_like(low)), 1.0, low).astype(np.float32)
    rgb = _rgb(lab, share)
    return np.clip(np.round(rgb * 255), 0, 255).astype(np.uint8)


def _rgb(lab: Lab, share: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear arithmetic of CIE Lab (D65) to sRGB without clipping, unlike OpenCV's."""
    fy = (lab[:, 0] + 16) / 116
    f = np.stack([fy + share * lab[:, 1] / 500, fy, fy - share * lab[:, 2] / 200], 1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.950456, 1.0, 1.088754)
    linear = xyz @ _FROM_XYZ
    magnitude = np.abs(linear)
    curved = np.where(magnitude <= 0.0031308, 12.92 * magnitude, 1.055 * magnitude ** (1 / 2.4) - 0.055)
    return (np.sign(linear) * curved).astype(np.float32)


_FROM_XYZ = np.array(
    [[3.240479, -1.537150, -0.498535], [-0.969256, 1.875991, 0.041556], [0.055648, -0.204043, 1.057311]]
).T


def _in_gamut(lab: Lab, share: NDArray[np.float32]) -> NDArray[np.bool_]:
    rgb = _rgb(lab, share)
    inside: NDArray[np.bool_] = np.all((rgb >= -0.002) & (rgb <= 1.002), axis=1)
    return inside
