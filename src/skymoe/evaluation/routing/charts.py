"""The page's drawings as SVG text. Colours are the page's own classes and variables, so that they follow its theme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Grid = Sequence[Sequence[int]]
NAMED = 8
"""Colours that the page names; further experts get hues by the golden angle."""


def colour(expert: int) -> str:
    """The same for an expert wherever it is drawn."""
    return f"var(--e{expert})" if expert < NAMED else f"hsl({(expert * 137.508) % 360:.0f} 45% 55%)"


def bars(shares: Sequence[float], top: float, title: str) -> str:
    """A histogram of the experts, as high as ``top``; the line is an even share."""
    wide, high, count = 10 * len(shares), 34, len(shares)
    parts = [f'<svg class="bars" viewBox="0 0 {wide} {high}" preserveAspectRatio="none" role="img">']
    parts.append(f"<title>{title}</title>")
    for expert, share in enumerate(shares):
        tall = max(high * share / top, 0.5)
        parts.append(
            f'<rect x="{10 * expert + 1}" y="{high - tall:.2f}" width="8" height="{tall:.2f}" '
            f'fill="{colour(expert)}"><title>{title}: expert {expert + 1}, {100 * share:.1f} %</title></rect>'
        )
    even = high - high / count / top
    parts.append(f'<line class="even" x1="0" x2="{wide}" y1="{even:.2f}" y2="{even:.2f}"/></svg>')
    return "".join(parts)


def information(points: Sequence[tuple[int, dict[str, Any] | None]], top: float, title: str) -> str:
    """Normalised information of one part, layer by layer: the value with its interval, on what chance leaves.

    The grey bar is the shuffle over pictures up to its 97.5 % quantile, the short line the mean of the shuffle within
    pictures: what lies above it cannot come from the picture.
    """
    step, left, high, foot = _step(len(points)), 30, 120, 18
    wide = left + step * len(points)

    def y(value: float) -> float:
        return 8 + (high - 8) * (1 - min(max(value, 0.0), top) / top)

    parts = [
        f'<svg class="dots" viewBox="0 0 {wide} {high + foot}" width="{wide}" height="{high + foot}" role="img">'
    ]
    parts.append(f"<title>{title}</title>")
    for share in (0, 0.5, 1):
        level = y(top * share)
        parts.append(f'<line class="rule" x1="{left}" x2="{wide}" y1="{level:.1f}" y2="{level:.1f}"/>')
        parts.append(
            f'<text class="tick end" x="{left - 4}" y="{level + 3:.1f}">{_short(top * share)}</text>'
        )
    for place, (layer, one) in enumerate(points):
        x = left + step * (place + 0.5)
        parts.append(f'<text class="tick middle" x="{x}" y="{high + 13}">{layer}</text>')
        if one is None:
            continue
        mean, value = one["chance"]["mean"], one["nmi"]
        ceiling, within = y(one["chance"]["high"]), one["within"]
        said = f"layer {layer}: {value:.3f}, by chance {mean:.3f}"
        if within is not None:
            said += f", shuffled within pictures {within['mean']:.3f} (p {within['p']:.3f})"
        parts.append(f"<g><title>{said}</title>")
        parts.append(
            f'<rect class="chance" x="{x - 9}" y="{ceiling:.1f}" width="18" height="{high - ceiling:.1f}"/>'
        )
        if within is not None:
            level = y(within["mean"])
            parts.append(
                f'<line class="within" x1="{x - 11}" x2="{x + 11}" y1="{level:.1f}" y2="{level:.1f}"/>'
            )
        ends = y(mean + one["low"]), y(mean + one["high"])
        parts.append(f'<line class="span" x1="{x}" x2="{x}" y1="{ends[0]:.1f}" y2="{ends[1]:.1f}"/>')
        parts.append(f'<circle class="dot" cx="{x}" cy="{y(value):.1f}" r="3.6"/></g>')
    return "".join(parts) + "</svg>"


def expert_map(cells: Grid) -> str:
    """The cells of a picture in the colours of their first choice, to be laid over it."""
    size = f"0 0 {len(cells[0])} {len(cells)}"
    parts = [f'<svg viewBox="{size}" preserveAspectRatio="none" shape-rendering="crispEdges" role="img">']
    for y, row in enumerate(cells):
        start = 0
        for x in range(1, len(row) + 1):  # neighbours of one expert are one rectangle
            if x == len(row) or row[x] != row[start]:
                expert = row[start]
                parts.append(
                    f'<rect x="{start}" y="{y}" width="{x - start}" height="1" fill="{colour(expert)}">'
                    f"<title>expert {expert + 1}</title></rect>"
                )
                start = x
    return "".join(parts) + "</svg>"


def differences(points: Sequence[tuple[str, dict[str, Any] | None]], top: float, title: str) -> str:
    """Differences between two models with their intervals, layer by layer, on the line of no difference."""
    step, left, high, foot = _step(len(points)), 34, 120, 18
    wide = left + step * len(points)

    def y(value: float) -> float:
        return high / 2 - (high / 2 - 8) * min(max(value / top, -1.0), 1.0)

    parts = [
        f'<svg class="dots" viewBox="0 0 {wide} {high + foot}" width="{wide}" height="{high + foot}" role="img">'
    ]
    parts.append(
        f'<title>{title}</title><line class="even" x1="0" x2="{wide}" y1="{high / 2}" y2="{high / 2}"/>'
    )
    for share in (1, -1):
        parts.append(f'<text class="tick" x="1" y="{y(top * share) + 3:.1f}">{top * share:+.2f}</text>')
    for place, (layer, one) in enumerate(points):
        x = left + step * (place + 0.5)
        parts.append(f'<text class="tick middle" x="{x}" y="{high + 13}">{layer}</text>')
        if one is None:
            continue
        said = f"{one['difference']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f})"
        parts.append(f'<g class="{"clear" if one["clear"] else "unclear"}"><title>{said}</title>')
        parts.append(
            f'<line class="span" x1="{x}" x2="{x}" y1="{y(one["low"]):.1f}" y2="{y(one["high"]):.1f}"/>'
            f'<circle class="dot" cx="{x}" cy="{y(one["difference"]):.1f}" r="3.6"/></g>'
        )
    return "".join(parts) + "</svg>"


def _step(count: int) -> int:
    return 44 if count <= 4 else 34 if count <= 8 else 22


def _short(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if value else "0"


__all__ = ["bars", "colour", "differences", "expert_map", "information"]
