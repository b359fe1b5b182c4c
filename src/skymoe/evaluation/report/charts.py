"""What the page's drawings are made of: points and shares, worked out here, written as SVG by the templates.

No plotting library: what is drawn are a few polygons and dots that a page must carry in any colour scheme, at any width
and without scripts, and a reader's mouse must find the numbers in them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spoke:
    """One axis of a radar chart: its name and what is at its end."""

    name: str
    end: str = ""


@dataclass(frozen=True)
class Ring:
    """One system on a radar chart: its shares (0–1) by spoke, None where it has none, and what they are in words."""

    name: str
    shares: tuple[float | None, ...]
    said: tuple[str, ...]
    style: str


def radar(spokes: Sequence[Spoke], rings: Sequence[Ring], *, width: float, radius: float) -> dict[str, Any]:
    """A radar chart of at least three spokes as points: the first spoke points up, the next follow clockwise.

    A ring that lacks a spoke is open there: lines are drawn between neighbours that both are there, else dots alone.
    """
    assert len(spokes) >= 3, "fewer spokes make no area"
    height = 2 * radius + 68
    middle = (width / 2, height / 2)

    def at(place: int, share: float) -> tuple[float, float]:
        turn = 2 * math.pi * place / len(spokes)
        return middle[0] + share * radius * math.sin(turn), middle[1] - share * radius * math.cos(turn)

    labels = []
    for place, spoke in enumerate(spokes):
        x, y = at(place, 1)
        lx, ly = at(place, 1 + 14 / radius)
        side = math.sin(2 * math.pi * place / len(spokes))
        anchor = "middle" if abs(side) < 0.15 else "start" if side > 0 else "end"
        labels.append({"x": x, "y": y, "label_x": lx, "label_y": ly, "anchor": anchor, "spoke": spoke})
    grid = [_points([at(place, share) for place in range(len(spokes))]) for share in (0.25, 0.5, 0.75, 1.0)]
    return {
        "width": width,
        "height": height,
        "middle": middle,
        "grid": grid,
        "labels": labels,
        "rings": [_ring(ring, spokes, at) for ring in rings],
    }


def _ring(ring: Ring, spokes: Sequence[Spoke], at: Any) -> dict[str, Any]:
    dots = [
        {"x": x, "y": y, "said": f"{ring.name}, {spoke.name}: {said}"}
        for place, (spoke, share, said) in enumerate(zip(spokes, ring.shares, ring.said, strict=True))
        if share is not None
        for x, y in [at(place, min(max(share, 0.0), 1.0))]
    ]
    whole = all(share is not None for share in ring.shares)
    lines = []
    if not whole:
        for place, share in enumerate(ring.shares):
            after = (place + 1) % len(spokes)
            following = ring.shares[after]
            if share is not None and following is not None:
                lines.append(_points([at(place, share), at(after, following)]))
    area = _points([(dot["x"], dot["y"]) for dot in dots]) if whole else None
    return {"name": ring.name, "style": ring.style, "area": area, "lines": lines, "dots": dots}


def scatter(pairs: Sequence[Sequence[float]], *, side: float = 320) -> dict[str, Any]:
    """True against answered counts as dots whose area says how often; axes by log(1 + n), the diagonal is right."""
    most = max(max(true, given) for true, given, _ in pairs)
    scale = side / math.log1p(max(most, 1))
    ticks = [n for n in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if n <= most]
    # Not more labels than the axis has room for; the ends of each decade stay.
    ticks = ticks if len(ticks) <= 8 else [n for n in ticks if str(n)[0] in "01"]
    largest = max(n for *_, n in pairs)
    return {
        "side": side,
        "dots": [
            {
                "x": math.log1p(true) * scale,
                "y": side - math.log1p(given) * scale,
                "r": 1.6 + 6.4 * math.sqrt(n / largest),
                "right": true == given,
                "said": f"true {true:,}, answered {given:,}: {n:,}×",
            }
            for true, given, n in sorted(pairs, key=lambda pair: -pair[2])
        ],
        "ticks": [{"at": math.log1p(n) * scale, "label": f"{n:,}"} for n in ticks],
    }


def curve(points: Sequence[Sequence[float]], *, width: float = 320, height: float = 200) -> dict[str, Any]:
    """Shares (0–1) over thresholds (0–1) as one line."""
    return {
        "width": width,
        "height": height,
        "line": _points([(x * width, height - y * height) for x, y in points]),
        "dots": [
            {"x": x * width, "y": height - y * height, "said": f"IoU ≥ {x:.2f}: {100 * y:.1f} %"}
            for x, y in points
        ],
    }


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
