"""Charts of the audits' page as SVG text: no library, no script, colours from the page (light and dark).

Every chart is drawn for a width of 480 units and grows with its place. Classes: `s0` … `s7` are the series' colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

Point = tuple[float, float]
Ticks = Sequence[tuple[float, str]]
WIDTH = 480
LONGEST_NAME = 40
NAME_LETTER = 6.2
"""Units of a chart that a letter of a name takes: more than most letters of most fonts."""


def _same(value: float) -> float:
    return value


@dataclass
class Axes:
    """A plot area with two axes; ``bend`` is applied to values of both (the identity, or a root for counts)."""

    x_most: float
    y_most: float
    height: int = 340
    left: int = 60
    bottom: int = 46
    top: int = 12
    right: int = 24
    bend: Callable[[float], float] = _same
    parts: list[str] = field(default_factory=list)

    def x(self, value: float) -> float:
        """Where a value lies across the chart."""
        return self.left + (WIDTH - self.left - self.right) * self.bend(value) / self.bend(self.x_most)

    def y(self, value: float) -> float:
        """Where a value lies, counted from above; what is above the chart's end stays at its end."""
        share = min(self.bend(max(value, 0.0)) / self.bend(self.y_most), 1.0)
        return self.top + (self.height - self.top - self.bottom) * (1 - share)

    def grid(self, xs: Ticks, ys: Ticks, x_title: str, y_title: str) -> None:
        """Lines and labels at the given values."""
        x1, x2, y1, y2 = self.x(0), self.x(self.x_most), self.y(self.y_most), self.y(0)
        for value, text in ys:
            self.parts.append(_line("grid", x1, self.y(value), x2, self.y(value)))
            self.parts.append(_text(x1 - 7, self.y(value) + 4, text, "end"))
        for value, text in xs:
            self.parts.append(_line("grid", self.x(value), y1, self.x(value), y2))
            self.parts.append(_text(self.x(value), y2 + 17, text, "middle"))
        self.parts.append(_text((x1 + x2) / 2, self.height - 6, x_title, "middle", "title"))
        middle = (y1 + y2) / 2
        turned = f' transform="rotate(-90 13 {middle:.1f})"'
        self.parts.append(_text(13, middle, y_title, "middle", "title", turned))

    def line(self, points: Sequence[Point], series: str, title: str = "", dots: bool = True) -> None:
        """A line through the points, with dots on them."""
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        self.parts.append(f'<polyline class="line {series}" points="{path}">{_tip(title)}</polyline>')
        if dots:
            for x, y in points:
                tip = _tip(f"{title}: {x:.3g} → {y:.3g}" if title else "")
                self.parts.append(_dot(series, self.x(x), self.y(y), 3.4, tip))

    def band(self, points: Sequence[tuple[float, float, float]], series: str) -> None:
        """The area between low and high, of (x, low, high)."""
        edge = [(x, high) for x, _, high in points] + [(x, low) for x, low, _ in reversed(points)]
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in edge)
        self.parts.append(f'<polygon class="band {series}" points="{path}"/>')

    def bar(self, x1: float, x2: float, value: float, series: str, title: str) -> None:
        """A bar from 0 up to a value."""
        across = self.x(x2) - self.x(x1) - 2
        down = self.y(0) - self.y(value)
        self.parts.append(
            f'<rect class="bar {series}" x="{self.x(x1) + 1:.1f}" y="{self.y(value):.1f}" width="{across:.1f}" '
            f'height="{max(down, 0.8):.1f}">{_tip(title)}</rect>'
        )

    def svg(self, label: str) -> str:
        """The whole chart; ``label`` is read to those who cannot see it."""
        return _svg(self.height, self.parts, label)


def masked_counts(groups: Sequence[dict[str, Any]], label: str) -> str:
    """Predicted against true count, one line for each group of pictures, from unmasked to all masked."""
    points = [point for group in groups for point in group["points"]]
    most = max(max(point["true"], point["predicted"]) for point in points) * 1.06 + 0.5
    axes = Axes(most, most, height=400, bend=math.sqrt)
    ticks = [(float(value), str(value)) for value in (0, 1, 2, 5, 10, 20, 30, 50, 100, 200) if value <= most]
    axes.grid(ticks, ticks, "true count, objects left", "predicted count")
    axes.line([(0, 0), (most, most)], "ideal", dots=False)
    for number, group in enumerate(groups):
        title = f"pictures with {group['name']} objects"
        axes.line([(p["true"], p["predicted"]) for p in group["points"]], f"s{number}", title)
    return axes.svg(label)


def masked_share(curve: Sequence[dict[str, Any]], label: str) -> str:
    """The predicted count as a share of all true objects, against the share of objects that is left."""
    most = max(1.1, *(point["high"] for point in curve)) * 1.03
    axes = Axes(1.0, most, height=400)
    step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 100) if most / step <= 7 or step == 100)
    ys = [(n * step, f"{100 * n * step:.0f} %") for n in range(math.floor(most / step) + 1)]
    axes.grid(_percents(5), ys, "objects left", "predicted count, of all objects")
    axes.line([(0, 0), (1, 1)], "ideal", dots=False)
    axes.line([(0, curve[0]["value"]), (1, curve[0]["value"])], "guess", dots=False)
    axes.band([(point["share"], point["low"], point["high"]) for point in curve], "s0")
    axes.line([(point["share"], point["value"]) for point in curve], "s0", "objects left → predicted")
    return axes.svg(label)


def reliability(bins: Sequence[dict[str, Any]], label: str) -> str:
    """Share of right answers by confidence: bars with their intervals, a mark at the mean confidence of each bin."""
    axes = Axes(1.0, 1.0, height=400)
    axes.grid(_percents(5), _percents(5), "confidence", "right answers")
    for one in bins:
        right, sure, count = one["accuracy"], one["confidence"], one["n"]
        span = f"{one['low']:.0%} … {one['high']:.0%}"
        title = f"{count:,} answers at {span}: {sure:.0%} sure on average, {right['value']:.0%} right"
        axes.bar(one["low"], one["high"], right["value"], "s0", title)
        x1, x2 = axes.x(one["low"]) + 1, axes.x(one["high"]) - 1
        middle = (x1 + x2) / 2
        axes.parts.append(_line("whisker", middle, axes.y(right["low"]), middle, axes.y(right["high"])))
        axes.parts.append(_line("mark", x1, axes.y(sure), x2, axes.y(sure)))
        axes.parts.append(
            _text(middle, axes.y(max(right["high"], sure)) - 4, f"{count:,}", "middle", "small")
        )
    axes.line([(0, 0), (1, 1)], "ideal", dots=False)
    return axes.svg(label)


def coverage(lines: Sequence[tuple[str, Sequence[Point]]], label: str) -> str:
    """Share of right answers against the share of questions answered, the surest first; (name, points) a line."""
    axes = Axes(1.0, 1.0, height=400)
    axes.grid(_percents(5), _percents(5), "questions answered, the surest first", "right answers among them")
    for number, (name, points) in enumerate(lines):
        axes.line(points, f"s{number % 8}", name, dots=False)
    return axes.svg(label)


def dots(rows: Sequence[tuple[str, Sequence[tuple[str, str, float, float, float]]]], label: str) -> str:
    """One row for each name, with dots on a scale from 0 to 1: (series, what it is, value, low, high)."""
    names = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name, _ in rows]
    step, top = 34, 8
    left = 20 + NAME_LETTER * max(map(len, names), default=0)
    bottom = top + step * len(rows)
    across = 300.0
    parts = []
    for value, text in _percents(4):
        x = left + across * value
        parts += [_line("grid", x, top, x, bottom), _text(x, bottom + 17, text, "middle")]
    for number, (shown, (name, values)) in enumerate(zip(names, rows, strict=True)):
        y = top + step * (number + 0.5)
        parts.append(_line("grid", left, y, left + across, y))
        parts.append(_text(left - 9, y + 4, shown, "end"))
        for place, (series, title, value, low, high) in enumerate(values):
            # A little above each other, so that whiskers can be told apart.
            at = y + (place - (len(values) - 1) / 2) * min(7.0, 22 / max(len(values) - 1, 1))
            x, x1, x2 = (left + across * min(max(v, 0.0), 1.0) for v in (value, low, high))
            tip = _tip(f"{name}, {title}: {value:.1%} ({low:.1%} … {high:.1%})")
            parts.append(f"<g>{tip}{_line(f'line {series}', x1, at, x2, at)}")
            parts.append(_dot(series, x, at, 4) + "</g>")
    return _svg(bottom + 26, parts, label, left + across + 24)


def _percents(parts: int) -> list[tuple[float, str]]:
    return [(n / parts, f"{100 * n // parts} %") for n in range(parts + 1)]


def _svg(height: float, parts: Sequence[str], label: str, width: float = WIDTH) -> str:
    head = (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}">'
    )
    return head + "".join(parts) + "</svg>"


def _dot(series: str, x: float, y: float, radius: float, tip: str = "") -> str:
    return f'<circle class="dot {series}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">{tip}</circle>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick", more: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _tip(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""
