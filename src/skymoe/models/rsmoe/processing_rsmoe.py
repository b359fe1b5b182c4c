"""Pictures and messages to model inputs, with the question alone beside them for Q-Former and router."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..skymoe.processing_skymoe import SkyMoeProcessor

IGNORED_LABEL = -100
_PROBE = "question"


class RsMoeProcessor(SkyMoeProcessor):
    """SkyMoE's processor with `image_tokens` places for a picture and `instruction_ids`, `instruction_mask` (B, I).

    The instruction is the question as it stands in the chat template's frame, in the decoder's own vocabulary, padded
    on the right (its positions count from 0 whatever its neighbours are).
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
        image_tokens: int = 32,
        finding_length: int = 12,
        **kwargs: Any,
    ) -> None:
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
        self.image_tokens = image_tokens
        self.finding_length = finding_length

    @property
    def image_seq_length(self) -> int:
        """Tokens of the prompt that the picture takes (`RsMoeConfig.image_seq_length`)."""
        return self.image_tokens

    def replace_image_token(self, image_inputs: dict[str, Any], image_idx: int, **kwargs: Any) -> str:
        return self.image_token * self.image_tokens

    def __call__(self, images: Any = None, text: Any = None, **kwargs: Any) -> Any:
        """As SkyMoE's, and `instruction_ids`, `instruction_mask` of the text."""
        inputs = super().__call__(images=images, text=text, **kwargs)
        if text is not None:
            texts = [text] if isinstance(text, str) else list(text)
            for key, value in self.instruction([self.question(one) for one in texts]).items():
                inputs[key] = value
        return inputs

    def frame(self) -> tuple[str, str]:
        """What the chat template writes before and after a question about one picture."""
        user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": _PROBE}]}
        text = self.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
        before, _, after = text.rpartition(_PROBE)
        return before, after

    def question(self, text: str) -> str:
        """The question in a text of the chat template; of another text what follows the picture."""
        before, after = self.frame()
        if text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after):
            return text[len(before) : len(text) - len(after)]
        return text.rpartition(self.image_token)[2].strip()

    def instruction(self, questions: Sequence[str]) -> dict[str, Tensor]:
        """`instruction_ids` and `instruction_mask` (B, I) of bare questions; one without tokens gets the end token."""
        end = self.tokenizer.eos_token_id
        rows = [self.tokenizer(text, add_special_tokens=False)["input_ids"] or [end] for text in questions]
        longest = max(map(len, rows), default=0)
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else end
        return {
            "instruction_ids": torch.tensor([list(row) + [pad] * (longest - len(row)) for row in rows]),
            "instruction_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
        }

    def findings(self, texts: Sequence[Sequence[str]]) -> dict[str, Tensor]:
        """`findings` and `sub_labels` (B, E, F) of the experts' findings as texts.

        A finding is cut so that its end token fits into F; in `findings` the end is the pad token, in `sub_labels` what
        follows the end is ignored. An empty text gives an empty finding, and no label at all.
        """
        length, end = self.finding_length, self.tokenizer.eos_token_id
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else end
        findings, labels = [], []
        for row in texts:
            ids = [
                list(self.tokenizer(text, add_special_tokens=False)["input_ids"])[: length - 1]
                for text in row
            ]
            findings.append([one + [pad] * (length - len(one)) for one in ids])
            labels.append(
                [
                    [*one, end] + [IGNORED_LABEL] * (length - len(one) - 1)
                    if one
                    else [IGNORED_LABEL] * length
                    for one in ids
                ]
            )
        return {"findings": torch.tensor(findings), "sub_labels": torch.tensor(labels)}

    @property
    def model_input_names(self) -> list[str]:
        return [*super().model_input_names, "instruction_ids", "instruction_mask"]


__all__ = ["RsMoeProcessor"]
