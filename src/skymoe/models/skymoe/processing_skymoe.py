"""Pictures and messages to model inputs. Pictures are resized to a square, never cropped: a crop would shift every box."""

from __future__ import annotations

from typing import Any

from transformers import LlavaProcessor


class SkyMoeProcessor(LlavaProcessor):
    """Image processor + tokenizer + chat template, one template for training and answering.

    `padding_side` is "left": batched generation needs the last token of every prompt at the same place.
    """

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, **kwargs: Any) -> None:
        if tokenizer is not None:
            tokenizer.padding_side = "left"
        super().__init__(image_processor, tokenizer, **kwargs)

    @property
    def image_seq_length(self) -> int:
        """Visual tokens of one picture."""
        size = self.image_processor.size
        cells = (size["height"] // self.patch_size) * (size["width"] // self.patch_size)
        skipped = 1 if self.vision_feature_select_strategy == "default" else 0
        return cells + self.num_additional_image_tokens - skipped


__all__ = ["SkyMoeProcessor"]
