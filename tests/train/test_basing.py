"""What a base does not allow is said by its key, before data or weights are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_base import recipe

from skymoe.errors import UserError
from skymoe.train.recipe import Base
from skymoe.train.stages import Training

ENCODER = {"kind": "encoder", "name": "e", "steps": 1, "batch_size": 4}


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"kind": "experts", "name": "x", "steps": 1, "offset": 7}, r"stages\.0\.offset: 7, .*: give 0 to 3"),
        ({**ENCODER, "feature_width": 24}, r"stages\.0\.feature_width: 24 narrows a tower of 24: give 1 to 23"),
        ({**ENCODER, "resampler": {"heads": 5}}, r"stages\.0\.resampler\.heads: 5 must divide 32"),
        (
            {"kind": "specialists", "name": "s", "steps": 1, "router_heads": 5, "everything": True, "resampler": {}},
            r"stages\.0\.router_heads: 5 must divide the decoder's width of 32",
        ),
    ],
)  # fmt: skip
def test_a_stage_must_fit_the_base(tiny: Path, tmp_path: Path, stage: dict[str, Any], message: str) -> None:
    made = recipe(tmp_path / "run", tiny / "llava", tmp_path / "no-data-are-read", stage)
    with pytest.raises(UserError, match=message) as caught:
        Training(made)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_base_with_experts_keeps_them(tmp_path: Path) -> None:
    def asked(**settings: int) -> Training:
        stage = {"kind": "experts", "name": "x", "steps": 1, **settings}
        made = recipe(tmp_path, tmp_path, tmp_path / "none", stage)
        return Training(made.model_copy(update={"base": Base(model="nano")}))

    with pytest.raises(
        UserError, match=r"stages\.0\.experts: 4, but base\.model nano has experts already, with experts 8"
    ):
        asked(experts=4)
    with pytest.raises(UserError, match="samples"):  # as nano is: only the data are missing
        asked(experts=8, top_k=2)
