"""Pictures to remembered prefixes: a picture passes through tower and decoder once, however much is asked about it.

Where the model reads pictures with the question in mind, once for every question.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from skymoe.answer import ExpertReport
from skymoe.engine.decoder import Decoder, Prefix
from skymoe.engine.opened import Opened
from skymoe.engine.prompting import Prompt

EXPLANATIONS_KEPT = 1024
Key = tuple[bytes, tuple[int, ...], tuple[int, ...]]
Reports = tuple[ExpertReport, ...]


class PrefixStore:
    """Prefixes of the pictures asked about last, at most ``max_bytes`` of them."""

    def __init__(self, decoder: Decoder, processor: Any, max_bytes: int) -> None:
        self.decoder = decoder
        self.processor = processor
        self.max_bytes = max_bytes
        self._kept: OrderedDict[Key, Prefix] = OrderedDict()
        self._explained: OrderedDict[Key, Reports] = OrderedDict()
        self.encoded = 0
        """Pictures that had to pass through the model so far."""

    @torch.inference_mode()
    def get(self, pictures: Sequence[Opened], prompts: Sequence[Prompt]) -> list[Prefix]:
        """The prefix of each (picture, prompt), computed together where it is not remembered."""
        keys = self._keys(pictures, prompts)
        found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = {key: n for n, key in enumerate(keys) if key not in found}
        for length in {len(key[1]) for key in missing}:
            group = [n for key, n in missing.items() if len(key[1]) == length]
            self.encoded += len(group)
            # Several questions on one picture, where each has a prefix of its own, share its pixels.
            seen = {pictures[n].name: pictures[n] for n in group}
            places = {name: place for place, name in enumerate(seen)}
            encoded = self.decoder.remember(
                self.pixels(list(seen.values())),
                [places[pictures[n].name] for n in group],
                [prompts[n] for n in group],
            )
            found |= {keys[n]: prefix for n, prefix in zip(group, encoded, strict=True)}
        for key in keys:
            self._kept[key] = found[key]
            self._kept.move_to_end(key)
            if found[key].explanation:
                self._explained[key] = found[key].explanation
                self._explained.move_to_end(key)
        while len(self._explained) > max(EXPLANATIONS_KEPT, len(keys)):
            self._explained.popitem(last=False)
        while len(self._kept) > 1 and sum(prefix.bytes for prefix in self._kept.values()) > self.max_bytes:
            self._kept.popitem(last=False)
        return [found[key] for key in keys]

    def explanations(self, pictures: Sequence[Opened], prompts: Sequence[Prompt]) -> list[Reports]:
        """What the experts reported on each (picture, prompt); remembered longer than the prefixes, being small."""
        keys = self._keys(pictures, prompts)
        if any(key not in self._explained for key in keys):
            self.get(pictures, prompts)
        return [self._explained[key] for key in keys]

    def clear(self) -> None:
        """Forget all pictures."""
        self._kept.clear()
        self._explained.clear()

    def _keys(self, pictures: Sequence[Opened], prompts: Sequence[Prompt]) -> list[Key]:
        asked = self.decoder.conditioned
        return [
            (picture.name, prompt.prefix, prompt.question if asked else ())
            for picture, prompt in zip(pictures, prompts, strict=True)
        ]

    def pixels(self, pictures: Sequence[Opened]) -> Tensor:
        """(B, 3, H, W) as the processor makes them, on the model's device."""
        values = self.processor.image_processor(
            images=[one.picture for one in pictures], return_tensors="pt"
        )["pixel_values"]
        return values.to(self.decoder.device, self.decoder.embed.weight.dtype)
