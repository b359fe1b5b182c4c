"""OpenCV, which only augmentation needs: imported late, with a clear word where it is missing."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from skymoe.errors import UserError


@lru_cache(maxsize=1)
def opencv() -> Any:
    """The module cv2, on one thread: samples are worked on in parallel, and results must not depend on how.

    Raises:
        UserError: where it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            "augmentation needs OpenCV, which is not installed: pip install 'skymoe[augment]'"
        ) from error
    cv2.setNumThreads(1)
    return cv2
