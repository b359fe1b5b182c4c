"""Several rows of one picture: the frozen tower sees the picture once."""

from __future__ import annotations

from typing import Any

from torch import nn

ROWS = "picture_of_row"


def share_pictures(model: nn.Module) -> None:
    """Let an RS-MoE take `pixel_values` (pictures, 3, H, W) with `picture_of_row` (B,), the picture of each row, in
    place of pixels for each row."""

    def once(module: Any, args: tuple[Any, ...], inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if ROWS in inputs:
            features = module.model.tower_features(inputs.pop("pixel_values"))
            inputs["tower_features"] = features[inputs.pop(ROWS)]
        return args, inputs

    model.register_forward_pre_hook(once, with_kwargs=True)
