"""Pictures to remembered prefixes: a picture passes through tower and decoder once, however much is asked about it.

Shapes: B pictures, P tokens of a prefix, D hidden size.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from skymoe.engine.opened import Opened
from skymoe.engine.prompting import Prompt
from skymoe.engine.rows import Decoder, Prefix

Key = tuple[bytes, tuple[int, ...], tuple[int, ...]]


class PrefixStore:
    """Prefixes of the pictures asked about last, at most ``max_bytes`` of them."""

    def __init__(self, decoder: Decoder, processor: Any, max_bytes: int) -> None:
        self.decoder = decoder
        self.processor = processor
        self.image_id: int = processor.image_token_id
        self.max_bytes = max_bytes
        self._kept: OrderedDict[Key, Prefix] = OrderedDict()
        self.encoded = 0
        """Pictures that had to pass through the model so far."""

    def get(self, pictures: Sequence[Opened], prompts: Sequence[Prompt]) -> list[Prefix]:
        """The prefix of each (picture, prompt), computed together where it is not remembered."""
        # A router that reads the instruction sends the picture's tokens to other experts for every question.
        asked = self.decoder.conditioned
        keys = [
            (picture.name, prompt.prefix, prompt.question if asked else ())
            for picture, prompt in zip(pictures, prompts, strict=True)
        ]
        found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = {key: n for n, key in enumerate(keys) if key not in found}
        for length in {len(key[1]) for key in missing}:
            group = [n for key, n in missing.items() if len(key[1]) == length]
            encoded = self._encode([pictures[n] for n in group], [prompts[n] for n in group])
            found |= {keys[n]: prefix for n, prefix in zip(group, encoded, strict=True)}
        for key in keys:
            self._kept[key] = found[key]
            self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(prefix.bytes for prefix in self._kept.values()) > self.max_bytes:
            self._kept.popitem(last=False)
        return [found[key] for key in keys]

    def clear(self) -> None:
        """Forget all pictures."""
        self._kept.clear()

    def pixels(self, pictures: Sequence[Opened]) -> Tensor:
        """(B, 3, H, W) as the processor makes them, on the model's device."""
        values = self.processor.image_processor(
            images=[one.picture for one in pictures], return_tensors="pt"
        )["pixel_values"]
        return values.to(self.decoder.device, self.decoder.embed.weight.dtype)

    def embed(self, pictures: Sequence[Opened], tokens: Sequence[tuple[int, ...]]) -> Tensor:
        """Embeddings (B, S, D) of token sequences of one length, with the pictures' features at their visual tokens."""
        ids_BS = torch.tensor(tokens, device=self.decoder.device)
        features = self.decoder.model.get_image_features(pixel_values=self.pixels(pictures)).pooler_output
        embeds_BSD = self.decoder.embed(ids_BS)
        embeds_BSD[ids_BS == self.image_id] = torch.cat(list(features)).to(embeds_BSD.dtype)
        return embeds_BSD

    def instruction(self, prompts: Sequence[Prompt]) -> Tensor | None:
        """Pooled instructions (B, D) for routers that read them; None for those that do not."""
        if not self.decoder.conditioned:
            return None
        whole = [torch.tensor([prompt.tokens], device=self.decoder.device) for prompt in prompts]
        return torch.cat([self.decoder.model._pool_instruction(ids, None, None) for ids in whole])

    def _encode(self, pictures: Sequence[Opened], prompts: Sequence[Prompt]) -> list[Prefix]:
        self.encoded += len(pictures)
        embeds_BPD = self.embed(pictures, [prompt.prefix for prompt in prompts])
        instruction_BD = self.instruction(prompts)
        cache = DynamicCache(config=self.decoder.model.config.get_text_config())
        self.decoder.hidden(embeds_BPD, instruction_BD, past_key_values=cache)
        return [
            Prefix(
                tuple(layer.keys[n : n + 1].clone() for layer in cache.layers),
                tuple(layer.values[n : n + 1].clone() for layer in cache.layers),
                None if instruction_BD is None else instruction_BD[n : n + 1],
            )
            for n in range(len(pictures))
        ]
