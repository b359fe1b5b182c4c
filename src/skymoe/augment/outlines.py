"""Which pixels inside an object's box or polygon are the object."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skymoe.augment.edited import Pixels
from skymoe.augment.opencv import opencv
from skymoe.augment.stencils import Stencil, cover, polygon_stencil
from skymoe.sample import Region

LEAST, MOST = 0.25, 0.97
"""Share of its box that a clear object fills; above, no ground was found in a box that has corners of it."""
APART = 9.0
"""Lab distance between the middles of object and ground below which the object is not told from its ground."""
LEAKS = 0.15
"""Share of the box's rim where the supposed object goes on outside in the same colour: more, and it is ground."""
SHADOW = 35.0
"""So much darker (L*) than the object's middle is its shadow, or a hole in it."""


class Outline(NamedTuple):
    """``stencil`` the object's pixels, ``polygon`` their outline, ``softness`` [as the mask] 0–1 towards its rim."""

    stencil: Stencil
    polygon: tuple[float, ...]
    softness: NDArray[np.float32]


def find_outline(region: Region, pixels: Pixels) -> Outline | None:
    """The object's outline, or None where it cannot be told from its ground.

    A polygon of more than eight corners is taken as it is; with fewer it may be an oriented box that the picture's
    edge has cut. In a box, oriented or not, GrabCut looks for the object,
    starting from what differs from the colours of the ground around the box. An oriented box that is all object (a
    vehicle, a court) is taken whole.
    """
    height, width = pixels.shape[:2]
    polygon = region.polygon
    if polygon is not None and len(polygon) > 16:
        return _outline(polygon_stencil(polygon, width, height))
    whole = polygon_stencil(polygon, width, height) if polygon else cover(region, width, height)
    if min(whole.mask.shape, default=0) < 5:
        return None
    found = _grab(whole, pixels)
    share = found.mask.sum() / max(whole.mask.sum(), 1)
    if share < LEAST or (share > MOST and not polygon):
        return None
    return _outline(found if share <= MOST else whole)


def _grab(whole: Stencil, pixels: Pixels) -> Stencil:
    """The largest piece inside the stencil that GrabCut tells from the ground outside it; empty where there is none."""
    cv2 = opencv()
    rim = max(8, max(whole.mask.shape) // 2)
    rows, columns = pixels.shape[:2]
    left, top = max(whole.left - rim, 0), max(whole.top - rim, 0)
    right, bottom = min(whole.right + rim, columns), min(whole.bottom + rim, rows)
    local = np.ascontiguousarray(pixels[top:bottom, left:right])
    here = (slice(whole.top - top, whole.bottom - top), slice(whole.left - left, whole.right - left))
    nothing = Stencil(whole.left, whole.top, np.zeros_like(whole.mask))
    within = np.zeros(local.shape[:2], np.bool_)
    within[here] = whole.mask
    strange = within & _strange(local, within)
    if strange.sum() < 12 or (~within).sum() < 12:
        return nothing
    labels = np.where(strange, cv2.GC_PR_FGD, np.where(within, cv2.GC_PR_BGD, cv2.GC_BGD)).astype(np.uint8)
    cv2.setRNGSeed(0)  # its colour clusters start at random
    try:
        cv2.grabCut(local, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # nothing of one of the two kinds is left
        return nothing
    front = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    lab = cv2.cvtColor(local.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    if not front.any():
        return nothing
    middle = np.median(lab[front > 0], axis=0)
    if np.linalg.norm(middle - np.median(lab[~within], axis=0)) < APART:
        return nothing
    front &= (lab[..., 0] > middle[0] - SHADOW).astype(np.uint8)
    front = cv2.morphologyEx(front, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(front, connectivity=4)
    if count < 2:
        return nothing
    piece = (pieces == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))) & within
    if _leaking(lab, piece, within) > LEAKS:
        return nothing
    return Stencil(whole.left, whole.top, piece[here])


def _leaking(lab: NDArray[np.float32], piece: NDArray[np.bool_], within: NDArray[np.bool_]) -> float:
    """The share of the box's rim where the piece reaches it and the pixels just outside look like it."""
    cv2 = opencv()
    outside = (~within).astype(np.float32)
    weight = cv2.boxFilter(outside, -1, (5, 5), normalize=False, borderType=cv2.BORDER_CONSTANT)
    total = cv2.boxFilter(
        lab * outside[..., None], -1, (5, 5), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    rim = within & (weight > 0)
    alike = np.linalg.norm(lab - total / np.maximum(weight, 1)[..., None], axis=2) < APART
    return float((rim & piece & alike).sum() / max(rim.sum(), 1))


def _strange(local: Pixels, within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pixels have a colour that the ground outside has not: far from all of its four main colours."""
    cv2 = opencv()
    lab = cv2.cvtColor(local.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    ground = lab[~within]
    if len(ground) < 12:
        return np.zeros_like(within)
    sample = np.ascontiguousarray(ground[:: max(1, len(ground) // 2000)])
    cv2.setRNGSeed(0)
    _, _, middles = cv2.kmeans(sample, 4, None, (3, 10, 1.0), 1, cv2.KMEANS_PP_CENTERS)
    far = np.linalg.norm(lab[:, :, None, :] - middles[None, None], axis=3).min(axis=2)
    return far > max(float(np.quantile(far[~within], 0.9)), APART)


def _outline(stencil: Stencil) -> Outline | None:
    cv2 = opencv()
    outer, _ = cv2.findContours(stencil.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outer:
        return None
    largest = max(outer, key=cv2.contourArea)
    if len(largest) < 3:
        return None
    # From pixel middles to continuous coordinates.
    points = largest[:, 0, :].astype(float) + 0.5 + (stencil.left, stencil.top)
    mask = np.zeros(stencil.mask.shape, np.uint8)
    cv2.drawContours(mask, [largest], -1, 1, cv2.FILLED)
    mask &= stencil.mask.astype(np.uint8)  # holes are the ground or a shadow seen through it
    whole = Stencil(stencil.left, stencil.top, mask > 0)
    depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    return Outline(
        whole, tuple(float(v) for v in points.ravel()), np.clip(depth / 2.0, 0, 1).astype(np.float32)
    )
