"""What a person can read of one answer: each expert's prompt and its finding."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from .configuration_rsmoe import RsMoeConfig
from .instruction_router import Told
from .sub_tasks import worded_task


@dataclass(frozen=True, slots=True)
class ExpertPrompt:
    """`text` is what the expert was asked, with the told `words`; `weight` (0–1) how far it was heard."""

    name: str
    text: str
    words: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Explained:
    """One prompt and one finding for each expert, in the order of `config.expert_names`; none in stage I."""

    prompts: tuple[ExpertPrompt, ...]
    findings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def explain(
    config: RsMoeConfig, tokenizer: Any, weights_BE: Tensor, told: Told, findings_BEF: Tensor
) -> list[Explained]:
    """For each of B rows what its experts were told and found."""
    if not config.num_experts:
        return [Explained((), ()) for _ in weights_BE]
    explained = []
    for weights, told_E, findings_EF in zip(weights_BE.tolist(), told, findings_BEF.tolist(), strict=True):
        prompts = []
        for expert, name in enumerate(config.expert_names):
            words = [config.prompt_words[expert][word] for word in told_E[expert]]
            text = worded_task(config.expert_tasks[expert], words)
            prompts.append(ExpertPrompt(name, text, tuple(words), weights[expert]))
        texts = (tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in findings_EF)
        explained.append(Explained(tuple(prompts), tuple(texts)))
    return explained


__all__ = ["Explained", "ExpertPrompt", "explain"]
