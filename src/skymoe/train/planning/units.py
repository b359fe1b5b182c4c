"""Sizes, rates and times as people write them: "80G" of memory, "400T" FLOP/s, "3 d 4 h"."""

from __future__ import annotations

import math
import re

from skymoe.errors import UserError

GIB = 2**30
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:FLOPS?|FLOP/s|B/s)?", re.IGNORECASE)
_POWERS = "KMGTP"


def parse_size(text: str, option: str) -> int:
    """Bytes of "80G", "80GB", "81920MiB". Letters are powers of 1024: a GPU sold as "80 GB" holds 80 GiB."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise UserError(f"{option} {text!r} must be a size such as 80G or 81920M")
    return int(float(match[1]) * 1024 ** (_POWERS.index(match[2].upper()) + 1 if match[2] else 0))


def parse_rate(text: str, option: str) -> float:
    """Number a second of "400T", "400TFLOP/s", "300G". Letters are powers of 1000, as in every data sheet."""
    match = _RATE.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise UserError(f"{option} {text!r} must be a rate such as 400T or 50G")
    return float(match[1]) * 1000.0 ** (_POWERS.index(match[2].upper()) + 1 if match[2] else 0)


def show_gib(size: float) -> str:
    """Bytes for people, with three digits that count."""
    if size >= 100 * GIB:
        return f"{size / GIB:,.0f} GiB"
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / 2**20:,.1f} MiB"


def show_count(number: float) -> str:
    """Parameters for people: 22.214 B, 33.6 M."""
    for size, unit in ((1e9, "B"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3f} {unit}"
    return f"{number:,.0f}"


def show_flop(number: float) -> str:
    """FLOP for people: 24.8 TFLOP."""
    for size, unit in ((1e21, "Z"), (1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.1f} {unit}FLOP"
    return f"{number:,.0f} FLOP"


def show_time(seconds: float) -> str:
    """A span for people, in its two largest units."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
