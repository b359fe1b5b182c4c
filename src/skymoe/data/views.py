"""Views of a sample that keep its annotation true: the eight turns of the picture and mild crops.

Boxes, polygons and expressions move along. Captions, questions and phrases follow in words
(`data/directions.py`); those that can't be kept true are left out of the view. A crop also leaves out
captions that count or speak of a place, and questions whose answer may have been cut off. A view never loses
the last caption, or counts an object that is half gone: then the crop, and if need be the turn, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from PIL import Image

from skymoe.data.cuts import cut_box, cut_polygon, cut_regions, visible_share
from skymoe.data.directions import names_count, names_position, turned_text
from skymoe.data.turns import Turn
from skymoe.sample import XYXY, Expression, Question, Region, Sample

_CROP_TRIES = 6
_NONE_ANSWERS = ("no", "zero", "0", "none")


@dataclass(frozen=True, slots=True)
class ViewTransform:
    """Cut `window` (whole pixels x1, y1, x2, y2) out of a `width` × `height` picture, then turn it."""

    width: int
    height: int
    window: tuple[int, int, int, int]
    turn: Turn = Turn.NONE

    @classmethod
    def of(
        cls, sample: Sample, turn: Turn = Turn.NONE, window: tuple[int, int, int, int] | None = None
    ) -> ViewTransform:
        return cls(sample.width, sample.height, window or (0, 0, sample.width, sample.height), turn)

    @property
    def crops(self) -> bool:
        return self.window != (0, 0, self.width, self.height)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the view."""
        left, top, right, bottom = self.window
        return self.turn.size(right - left, bottom - top)

    def apply(self, picture: Image.Image) -> Image.Image:
        """The view of the sample's picture (which must be as large as the sample says)."""
        assert picture.size == (self.width, self.height), (picture.size, self)
        return self.turn.apply(picture.crop(self.window) if self.crops else picture)

    def box(self, box: XYXY) -> XYXY:
        """Where a box lies in the view, pixels; what the crop takes away is clipped off."""
        left, top, right, bottom = self.window
        return self.turn.box(cut_box(box, self.window), right - left, bottom - top)

    def polygon(self, polygon: tuple[float, ...]) -> tuple[float, ...]:
        """Where a polygon lies in the view, pixels; what the crop takes away is clipped off."""
        left, top, right, bottom = self.window
        inside = cut_polygon(polygon, self.window) if self.crops else polygon
        return self.turn.polygon(inside, right - left, bottom - top)

    def sample(self, sample: Sample) -> Sample | None:
        """The sample as the view shows it, or None where it can't be told (see the module's docstring).

        `image` and `window` stay those of the sample: the view's picture is `apply(open_sample(sample))`.
        """
        cut = cut_regions(sample.regions, self.window)
        captions = tuple(text for caption in sample.captions if (text := self._caption(caption)) is not None)
        if not cut.clean or (sample.captions and not captions):
            return None
        left, top, right, bottom = self.window
        inner = (right - left, bottom - top)
        regions = (
            cut.regions if self.turn is Turn.NONE else tuple(self._turned(r, inner) for r in cut.regions)
        )
        width, height = self.size
        return sample.replace(
            width=width,
            height=height,
            captions=captions,
            regions=regions,
            expressions=tuple(e for old in sample.expressions if (e := self._expression(old)) is not None),
            questions=tuple(q for old in sample.questions if (q := self._question(old)) is not None),
        )

    def _turned(self, region: Region, inner: tuple[int, int]) -> Region:
        polygon = region.polygon and self.turn.polygon(region.polygon, *inner)
        return replace(region, box=self.turn.box(region.box, *inner), polygon=polygon)

    def _caption(self, caption: str) -> str | None:
        if self.crops and (names_count(caption) or names_position(caption)):
            return None
        return turned_text(caption, self.turn, "caption")

    def _expression(self, old: Expression) -> Expression | None:
        # A phrase that places or compares its object may be wrong when others have been cut off.
        if self.crops and (names_position(old.phrase) or visible_share(old.box, self.window) < 1):
            return None
        phrase = turned_text(old.phrase, self.turn, "phrase")
        polygon = old.polygon and self.polygon(old.polygon)
        return None if phrase is None else Expression(phrase, self.box(old.box), polygon)

    def _question(self, old: Question) -> Question | None:
        # What is nowhere in the picture is in no part of it either, and the theme stays; the rest may be cut
        # off.
        if self.crops and old.kind != "theme" and old.answer.strip().lower() not in _NONE_ANSWERS:
            return None
        if self.crops and names_position(old.text):
            return None
        text, answer = (
            turned_text(old.text, self.turn, "phrase"),
            turned_text(old.answer, self.turn, "answer"),
        )
        return None if text is None or answer is None else Question(text, answer, old.kind)


def random_view(
    sample: Sample, rng: Random, *, dihedral: bool = True, crop: tuple[float, float] = (0.8, 1.0)
) -> tuple[Sample, ViewTransform]:
    """A random view of the sample and the transform that makes its picture.

    Args:
        dihedral: one of the eight turns, each with the same probability; False keeps the picture upright.
        crop: range of the crop's side relative to the picture's; half of the views are not cropped at all (a
        crop costs captions that count). (1, 1) never crops.
    """
    low, high = crop
    assert 0 < low <= high <= 1, crop
    turn = rng.choice(list(Turn)) if dihedral else Turn.NONE
    if low < 1 and rng.random() < 0.5:
        for _ in range(_CROP_TRIES):
            transform = ViewTransform.of(sample, turn, _random_window(sample, rng.uniform(low, high), rng))
            if (seen := transform.sample(sample)) is not None:
                return seen, transform
            if sample.captions and not sample.regions:
                break  # what a crop does to captions does not depend on where it is
    transform = ViewTransform.of(sample, turn)
    seen = transform.sample(sample)
    if seen is None:
        return sample, ViewTransform.of(sample)
    return seen, transform


def _random_window(sample: Sample, share: float, rng: Random) -> tuple[int, int, int, int]:
    width, height = max(1, round(sample.width * share)), max(1, round(sample.height * share))
    left, top = rng.randint(0, sample.width - width), rng.randint(0, sample.height - height)
    return left, top, left + width, top + height
