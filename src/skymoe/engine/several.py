"""Several language models that speak as one: RS-MoE, whose experts answer together, each with its own prompt.

A picture is read for one question. The experts' findings are made once for it and remembered with the prefix; from then
on every row is E sequences side by side, and the next token is drawn from the mixture of what the experts expect.

Shapes: N pictures, B questions on them, R rows, E experts, S tokens, P tokens of a prefix, F of a finding, D hidden
size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from skymoe.answer import ExpertReport
from skymoe.engine.decoder import Decoder, Prefix, prefixes
from skymoe.engine.prompting import Prompt
from skymoe.models.rsmoe import explain


class SeveralDecoder(Decoder):
    """E experts, or the one decoder of stage I. The state is the router's weights (R, E)."""

    # A closed list always yields some label, also for a task the model never met: that would look like an answer.
    tasks = frozenset({"caption", "vqa"})

    @property
    def conditioned(self) -> bool:
        """The Q-Former and the router read the question."""
        return True

    @property
    def explains(self) -> bool:
        return self.model.config.num_experts > 0

    def remember(
        self, pixels_N3HW: Tensor, pictures: Sequence[int], prompts: Sequence[Prompt]
    ) -> list[Prefix]:
        model, config = self.model, self.model.config
        asked = self.processor.instruction([self.processor.question(prompt.text) for prompt in prompts])
        encoded = model.encode(
            None,
            asked["instruction_ids"].to(self.device),
            asked["instruction_mask"].to(self.device),
            tower_features=model.model.tower_features(pixels_N3HW)[list(pictures)],
        )
        findings_BEF, reports = None, []
        if config.num_experts:
            told = model.told(encoded)
            findings_BEF = model.find(encoded, told)
            explained = explain(config, self.processor.tokenizer, encoded.weights, told, findings_BEF)
            reports = [
                tuple(
                    ExpertReport(prompt.name, prompt.text, prompt.words, prompt.weight, finding)
                    for prompt, finding in zip(one.prompts, one.findings, strict=True)
                )
                for one in explained
            ]
        ids_BP = torch.tensor([prompt.prefix for prompt in prompts], device=self.device)
        cache = DynamicCache(config=config.get_text_config())
        model.model(model.model.place(ids_BP, encoded, findings_BEF), cache=cache, use_cache=True)
        return prefixes(cache, encoded.weights, reports)

    def hidden(self, ids_RS: Tensor, state: Tensor | None, **inputs: Any) -> Tensor:
        """(R, S, E, D)."""
        return self.model.model(self.embed(ids_RS), use_cache=True, **inputs).last_hidden_state

    def logits(self, hidden: Tensor, state: Tensor | None) -> Tensor:
        """Log-probabilities (N, V) of the mixture, from (N, E, D)."""
        return self.model.logits(hidden, state)
