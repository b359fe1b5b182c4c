"""The checker's own colours: hue, saturation and value of RGB, and CIE lightness. No Lab hue, no OpenCV."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.uint8]

# Degrees of HSV hue between which people say the word; generous where words shade into each other.
_RANGES = {
    "red": (-28.0, 18.0), "orange": (10.0, 44.0), "brown": (5.0, 60.0), "yellow": (38.0, 72.0), "green": (66.0, 185.0),
    "blue": (170.0, 262.0), "purple": (245.0, 322.0), "pink": (285.0, 390.0),
}  # fmt: skip
COLOURED = 0.10
"""Saturation below which a pixel counts as grey."""


def is_called(pixels: Rows, word: str) -> bool:
    """Whether most of the coloured pixels [n, 3] have a hue of that word, or most pixels the greyness.

    For hues: the mean hue, weighted by colourfulness, must lie in the word's range too.
    """
    value, spread, hue = _hsv(pixels)
    # Very dark pixels have a saturation, but no colour that anybody sees.
    saturation = np.where(value > 0.08, spread / np.maximum(value, 1e-6), 0.0)
    if word in ("white", "grey", "black"):
        pale = (spread < 0.16) | (saturation < 0.25)
        fits = {
            "white": pale & (value > 0.70), "black": value < 0.30, "grey": pale & (value > 0.12) & (value < 0.92),
        }[word]  # fmt: skip
        return bool(fits.mean() >= 0.4)
    if word not in _RANGES:
        return False
    low, high = _RANGES[word]
    coloured = saturation >= COLOURED
    if coloured.mean() < 0.35:
        return False
    fits = (hue - low) % 360 <= high - low
    angles, weight = np.radians(hue[coloured]), spread[coloured]
    mean = np.degrees(np.arctan2((weight * np.sin(angles)).sum(), (weight * np.cos(angles)).sum()))
    return bool((mean - low) % 360 <= high - low and (weight * fits[coloured]).sum() >= 0.6 * weight.sum())


def lightness_moved(before: Rows, after: Rows) -> str | None:
    """What is wrong with the lightness of recoloured pixels [n, 3], which should be as it was; None if nothing."""
    first, second = _lightness(before), _lightness(after)
    moved = np.abs(first - second)
    if moved.mean() > 1.5 or np.quantile(moved, 0.98) > 5:
        return f"it moved by {moved.mean():.1f} on average"
    a, b = first - first.mean(), second - second.mean()
    if first.std() > 1.5 and (a * b).sum() < 0.95 * np.sqrt((a * a).sum() * (b * b).sum()):
        return "the texture is not the same"
    return None


def _hsv(pixels: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Value 0–1, largest minus smallest channel 0–1, hue in degrees."""
    rgb = pixels.astype(np.float64) / 255
    red, green, blue = rgb.T
    value, least = rgb.max(axis=1), rgb.min(axis=1)
    spread = value - least
    safe = np.where(spread > 0, spread, 1.0)
    hue = np.where(
        value == red, (green - blue) / safe,
        np.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )  # fmt: skip
    return value, spread, (60 * hue) % 360


def _lightness(pixels: Rows) -> NDArray[np.float64]:
    """CIE L*, 0–100, from the luminance of sRGB."""
    levels = pixels.astype(np.float64) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, luminance * 24389 / 27)
