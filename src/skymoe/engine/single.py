"""One language model: SkyMoE, whose experts are inside it, and LLaVA.

Shapes: B pictures, R rows, S tokens, P tokens of a prefix, D hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from skymoe.engine.decoder import Decoder, Prefix, prefixes
from skymoe.engine.prompting import Prompt
from skymoe.errors import UserError
from skymoe.models.cache_name import cached
from skymoe.models.fitness import readable_mask
from skymoe.models.moe import TokenRouter


class SingleDecoder(Decoder):
    """Visual tokens, then words, through one decoder. The state is the pooled instruction (R, D), where routers read
    it."""

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor)
        self.language_model = model.model.language_model
        self.head = model.lm_head
        self.routers = [module for module in model.modules() if isinstance(module, TokenRouter)]

    @property
    def conditioned(self) -> bool:
        """A router that reads the instruction sends the picture's tokens to other experts for every question."""
        return any(router.instruction_weight is not None for router in self.routers)

    def remember(
        self, pixels_N3HW: Tensor, pictures: Sequence[int], prompts: Sequence[Prompt]
    ) -> list[Prefix]:
        embeds_BPD = self.seen(pixels_N3HW[list(pictures)], [prompt.prefix for prompt in prompts])
        instruction_BD = self.instruction(prompts)
        cache = DynamicCache(config=self.model.config.get_text_config())
        self.through(embeds_BPD, instruction_BD, cache=cache)
        return prefixes(cache, instruction_BD)

    def hidden(self, ids_RS: Tensor, state: Tensor | None, **inputs: Any) -> Tensor:
        return self.through(self.embed(ids_RS), state, **inputs)

    def logits(self, hidden: Tensor, state: Tensor | None) -> Tensor:
        return self.head(hidden).float()

    def seen(self, pixels_B3HW: Tensor, tokens: Sequence[tuple[int, ...]]) -> Tensor:
        """Embeddings (B, S, D) of token sequences of one length, with the pictures' features at their visual tokens."""
        ids_BS = torch.tensor(tokens, device=self.device)
        features = self.model.get_image_features(pixel_values=pixels_B3HW).pooler_output
        embeds_BSD = self.embed(ids_BS)
        pictures_BS = ids_BS == self.processor.image_token_id
        given, made = int(pictures_BS.sum()) // len(tokens), len(features[0])
        if given != made:
            raise UserError(
                f"the processor leaves room for {given} visual tokens of a picture, the tower makes {made}: correct "
                "num_additional_image_tokens, patch_size or the pictures' size in processor_config.json"
            )
        embeds_BSD[pictures_BS] = torch.cat(list(features)).to(embeds_BSD.dtype)
        return embeds_BSD

    def instruction(self, prompts: Sequence[Prompt]) -> Tensor | None:
        """Pooled instructions (B, D) for routers that read them; None for those that do not."""
        if not self.conditioned:
            return None
        whole = [torch.tensor([prompt.tokens], device=self.device) for prompt in prompts]
        return torch.cat([self.model._pool_instruction(ids, None, None) for ids in whole])

    def through(
        self, embeds_RSD: Tensor, instruction_RD: Tensor | None, *, cache: Cache | None = None, **inputs: Any
    ) -> Tensor:
        """Last hidden states (R, S, D) of embeddings."""
        for router in self.routers:
            router.instruction_BD = instruction_RD
        inputs |= cached(cache)
        if "attention_mask" in inputs:
            inputs["attention_mask"] = readable_mask(inputs["attention_mask"], self.language_model)
        return self.language_model(inputs_embeds=embeds_RSD, use_cache=True, **inputs).last_hidden_state
