"""Pictures and messages to model inputs. Pictures are resized to a square, never cropped: a crop would shift boxes."""

from __future__ import annotations

from typing import Any

from transformers import LlavaProcessor


class SkyMoeProcessor(LlavaProcessor):
    """Image processor + tokenizer + chat template, one template for training and answering.

    `padding_side` is "left": batched generation needs the last token of every prompt at the same place.
    """

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        patch_size: int | None = None,
        vision_feature_select_strategy: str | None = None,
        chat_template: str | None = None,
        image_token: str = "<image>",
        num_additional_image_tokens: int = 0,
        **kwargs: Any,
    ) -> None:
        if tokenizer is not None:
            tokenizer.padding_side = "left"
        # Spelt out, because the library saves and restores exactly the arguments that the signature names.
        super().__init__(
            image_processor,
            tokenizer,
            patch_size=patch_size,
            vision_feature_select_strategy=vision_feature_select_strategy,
            chat_template=chat_template,
            image_token=image_token,
            num_additional_image_tokens=num_additional_image_tokens,
            **kwargs,
        )

    @property
    def image_seq_length(self) -> int:
        """Visual tokens of one picture."""
        size = self.image_processor.size
        cells = (size["height"] // self.patch_size) * (size["width"] // self.patch_size)
        skipped = 1 if self.vision_feature_select_strategy == "default" else 0
        return cells + self.num_additional_image_tokens - skipped


__all__ = ["SkyMoeProcessor"]
