from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engine.tiny_model import build, end_often
from skymoe.engine import SkyMoe


@pytest.fixture(scope="session")
def engine() -> SkyMoe:
    """A tiny model whose answers end after a few tokens."""
    model, processor = build()
    end_often(model)
    return SkyMoe(model, processor)


@pytest.fixture(scope="session")
def plain_engine() -> SkyMoe:
    """The same model with its one end token."""
    return SkyMoe(*build())


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    sizes = [(120, 90), (64, 64), (31, 200)]
    return [
        Image.fromarray(rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)).resize(
            (width, height)
        )
        for width, height in sizes
    ]
