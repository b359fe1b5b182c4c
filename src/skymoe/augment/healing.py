"""Filling a hole with the ground around it, and finding where a piece of picture fits.

A hole is filled with the nearby piece of ground whose surroundings are most like the hole's (no pixel of any
object in it), joined by Poisson blending: inpainting by example. Diffusion (`cv2.inpaint`) was tried and smears: a
smear as large as a tank tells more of the edit than the tank did of itself. Where there is no like ground, no hole is
filled, and the edit is not made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skymoe.augment.edited import Pixels
from skymoe.augment.opencv import opencv
from skymoe.augment.stencils import Mask, Stencil

RING = 4
"""Width of the surroundings that are compared, pixels."""
COARSE = 28
"""Blocks of pixels that the longer side of a piece is divided into, at most, to find its like."""
UNLIKE = 20.0
"""Root mean square difference of the surroundings (grey values) above which a filling would be seen at once."""
STRANGE = 35.0
"""Grey values from the middle of its surroundings from which on a pixel is shadow, or some other thing."""
SHIFTED = 14.0
"""Grey values by which blending may darken or brighten a filling: more is a shadow that it drags in."""


RIMS = (0.4, 0.2, 0.1)
"""How much of its shorter side a hole is larger than its object, for the shadow: the largest that can be filled."""


def heal_object(pixels: Pixels, cover: Stencil, gone: Sequence[Stencil], taken: Mask) -> Pixels | None:
    """The picture without an object and its shadow; None where no way to fill its place would look right.

    Args:
        cover: the object's pixels; the hole is wider, but takes nothing of objects that are kept.
        gone: the covers of all objects that are removed, this one among them.
        taken: [height, width], the covers of all objects.
    """
    kept = taken.copy()
    for other in gone:
        kept[other.window] &= ~other.mask
    height, width = taken.shape
    for rim in RIMS:
        grown = cover.grown(max(2, round(rim * min(cover.mask.shape))), width, height)
        hole = Stencil(grown.left, grown.top, grown.mask & ~kept[grown.window])
        filled = heal(pixels, hole, taken)
        if filled is not None:
            return filled
    return None


def heal(pixels: Pixels, hole: Stencil, avoid: Mask) -> Pixels | None:
    """A copy of the picture with the hole filled, only pixels of the hole changed; None where no ground is like it.

    ``avoid`` [height, width] marks the objects, from which nothing may be taken.
    """
    reach = 2 * max(hole.mask.shape) + 24
    height, width = avoid.shape
    left, top = max(hole.left - reach, 0), max(hole.top - reach, 0)
    right, bottom = min(hole.right + reach, width), min(hole.bottom + reach, height)
    taken = avoid[top:bottom, left:right].copy()
    hole.moved(-left, -top).paint(taken)
    step, error, free = matches(pixels, hole, (left, top), taken, avoid)
    # Nearer is better where two places fit alike.
    ys, xs = np.indices(error.shape) * step
    far = np.hypot(xs + left - hole.left, ys + top - hole.top) / max(hole.mask.shape)
    score = np.where(free, error + 4.0 * far, np.inf)
    if not score.size or not np.isfinite(score.min()):
        return None
    y, x = (int(v) for v in np.unravel_index(np.argmin(score), score.shape))
    if error[y, x] > UNLIKE**2:
        return None
    piece = hole.moved(left + x * step - hole.left, top + y * step - hole.top)
    filled = clone(pixels, pixels, piece, hole)
    ground, filling = (
        a[b.window][hole.mask].astype(np.float32) for a, b in ((pixels, piece), (filled, hole))
    )
    return filled if float(np.abs(filling - ground).mean()) <= SHIFTED else None


class Places(NamedTuple):
    """Places for a piece: [y, x] stands for a top left pixel ``step``·x, ``step``·y from the searched window's corner.

    ``error`` is the mean squared difference of the surroundings (grey values²), ``free`` says that no taken pixel is
    covered there.
    """

    step: int
    error: NDArray[np.float32]
    free: Mask


def matches(
    pixels: Pixels,
    piece: Stencil,
    corner: tuple[int, int],
    taken: Mask,
    objects: Mask,
    *,
    shadows: bool = False,
) -> Places:
    """How like the surroundings of ``piece`` those of other places are.

    The places searched are those inside a window of the picture whose top left pixel is ``corner`` (x, y) and whose
    ``taken`` pixels [height, width] may not be covered. Large pieces are compared on a coarser grid, blocks of pixels
    averaged: the ground matters there, not its grain, and a search in full size would take seconds.

    Of the piece's surroundings, those that belong to ``objects`` [the picture's height, width] are not asked for
    elsewhere; with ``shadows`` neither those that are unlike most of them, its own shadow above all.
    """
    cv2 = opencv()
    height, width = piece.mask.shape
    rows, columns = taken.shape
    step = max(1, -(-max(height, width) // COARSE))
    # The piece is taken as whole blocks; what they cover too much has no weight.
    high, wide = -(-height // step) * step, -(-width // step) * step
    if height > rows or width > columns:
        return Places(step, np.zeros((0, 0), np.float32), np.zeros((0, 0), np.bool_))
    frame = -(-RING // step) * step
    down, across = rows - height + high, columns - width + wide
    around = _framed(pixels, piece.left, piece.top, wide, high, frame)
    searched = _framed(pixels, *corner, across // step * step, down // step * step, frame)
    core = np.zeros((high + 2 * frame, wide + 2 * frame), np.uint8)
    core[frame : frame + height, frame : frame + width] = piece.mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RING + 1, 2 * RING + 1))
    ring = cv2.dilate(core, kernel) & (1 - core)
    there = _framed(objects[..., None].astype(np.uint8), piece.left, piece.top, wide, high, frame)[..., 0]
    ring[there > 0] = 0
    if shadows and ring.any():
        grey = around.mean(axis=2)
        unlike = (ring > 0) & (np.abs(grey - np.median(grey[ring > 0])) > STRANGE)
        if 2 * unlike.sum() < ring.sum():
            ring[unlike] = 0
    weight = np.repeat(_blocks(ring.astype(np.float32), step)[:, :, None], 3, axis=2)
    error = cv2.matchTemplate(
        _blocks(searched.astype(np.float32), step), _blocks(around.astype(np.float32), step), cv2.TM_SQDIFF,
        mask=np.sqrt(weight),
    )  # fmt: skip
    error /= max(float(weight.sum()), 1e-3)
    covered = np.zeros((down // step * step, across // step * step), np.float32)
    part = taken[: covered.shape[0], : covered.shape[1]]
    covered[: part.shape[0], : part.shape[1]] = part
    filled = core[frame : frame + high, frame : frame + wide].astype(np.float32)
    overlap = cv2.matchTemplate(
        (_blocks(covered, step) > 0).astype(np.float32),
        (_blocks(filled, step) > 0).astype(np.float32),
        cv2.TM_CCORR,
    )
    size = (min(error.shape[0], overlap.shape[0]), min(error.shape[1], overlap.shape[1]))
    error, overlap = error[: size[0], : size[1]], overlap[: size[0], : size[1]]
    # Something must be left to compare.
    free = overlap < 0.5 if 4 * ring.sum() >= core.sum() ** 0.5 else np.zeros(overlap.shape, np.bool_)
    return Places(step, np.maximum(error, 0), free)


def _blocks(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Means of blocks of ``step`` × ``step`` pixels; the sides are whole multiples."""
    if step == 1:
        return np.ascontiguousarray(values)
    rows, columns = values.shape[0] // step, values.shape[1] // step
    blocks = values.reshape(rows, step, columns, step, *values.shape[2:])
    return np.ascontiguousarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def clone(source: Pixels, target: Pixels, piece: Stencil, place: Stencil) -> Pixels:
    """``target`` with the ``piece`` of ``source`` Poisson-blended into ``place`` (the same mask elsewhere).

    Only pixels of the mask change: OpenCV solves for its whole bounding rectangle, where other objects may be.
    """
    cv2 = opencv()
    edge = RING + 2
    rows, columns = piece.mask.shape
    patch = _framed(source, piece.left, piece.top, columns, rows, edge)
    ground = _framed(target, place.left, place.top, columns, rows, edge)
    mask = np.pad(piece.mask, edge).astype(np.uint8) * 255
    # OpenCV puts the middle of the mask's bounding rectangle there, rounded so.
    ys, xs = np.nonzero(mask)
    center = (int(xs.min() + (xs.max() - xs.min() + 1) // 2), int(ys.min() + (ys.max() - ys.min() + 1) // 2))
    blended = cv2.seamlessClone(patch, ground, mask, center, cv2.NORMAL_CLONE)
    result = target.copy()
    result[place.window][piece.mask] = blended[edge : edge + rows, edge : edge + columns][piece.mask]
    return result


def _framed(pixels: Pixels, left: int, top: int, width: int, height: int, by: int) -> Pixels:
    """A piece of the picture with ``by`` more pixels all round, mirrored where the picture ends."""
    rows, columns = pixels.shape[:2]
    inner = pixels[max(top - by, 0) : top + height + by, max(left - by, 0) : left + width + by]
    before = (max(by - top, 0), max(by - left, 0))
    after = (max(top + height + by - rows, 0), max(left + width + by - columns, 0))
    return np.ascontiguousarray(
        np.pad(inner, ((before[0], after[0]), (before[1], after[1]), (0, 0)), mode="reflect")
    )
