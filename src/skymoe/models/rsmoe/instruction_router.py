"""The Instruction Router: from picture and instruction to one prompt for each expert, and how far each is to be heard.

Shapes: B rows, E experts, Q visual tokens, I instruction tokens, P soft-prompt tokens, M words of the longest list,
D hidden size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init

from .configuration_rsmoe import RsMoeConfig

# The logit of a word that an expert does not have: its probability is 0, and no arithmetic with it is infinite.
NO_WORD = -1e4
Told = list[list[list[int]]]
"""For each row and expert the indices, in the expert's `prompt_words`, of the words it is told; the surest first."""


class RouterLayer(nn.Module):
    """Cross-attention and FFN with residuals, normalised before each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm, self.ffn_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x_BKD: Tensor, memory_BLD: Tensor, seen_BL: Tensor) -> Tensor:
        def split(x: Tensor) -> Tensor:
            return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        read = F.scaled_dot_product_attention(
            split(self.query(self.query_norm(x_BKD))),
            split(self.key(memory_BLD)),
            split(self.value(memory_BLD)),
            attn_mask=seen_BL[:, None, None],
        )
        x_BKD = x_BKD + self.out(read.transpose(1, 2).flatten(2))
        return x_BKD + self.down(F.gelu(self.up(self.ffn_norm(x_BKD))))


class InstructionRouter(nn.Module):
    """E·(1 + P) learned queries read [visual tokens; instruction]: one for weight and words, P for the soft prompt.

    The weights start uniform (their parameters at zero); soft prompts are a learned start plus what was read.
    """

    def __init__(self, config: RsMoeConfig) -> None:
        super().__init__()
        text = config.text_config
        width, self.experts = text.hidden_size, config.num_experts  # type: ignore[union-attr]
        self.std = config.initializer_range
        self.visual_norm, self.instruction_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.kind = nn.Parameter(torch.empty(2, width))  # visual token, instruction token
        self.queries = nn.Parameter(torch.empty(self.experts, 1 + config.prompt_length, width))
        self.layers = nn.ModuleList(
            RouterLayer(width, config.router_heads) for _ in range(config.router_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.prompt = nn.Linear(width, width)
        self.prompt_start = nn.Parameter(torch.empty(self.experts, config.prompt_length, width))
        self.weight = nn.Parameter(torch.zeros(width))
        self.weight_start = nn.Parameter(torch.zeros(self.experts))
        self.longest = max((len(words) for words in config.prompt_words), default=0)
        # A linear layer of no outputs would warn; where nobody has words, there is none.
        self.words = nn.ModuleList(
            nn.Linear(width, len(words)) for words in config.prompt_words if self.longest
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for parameter in (self.kind, self.queries, self.prompt_start):
            init.normal_(parameter, std=self.std)
        init.zeros_(self.weight)
        init.zeros_(self.weight_start)

    def forward(
        self, visual_BQD: Tensor, instruction_BID: Tensor, instruction_mask_BI: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Soft prompts (B, E, P, D), weights (B, E) in float32 that sum to 1, word logits (B, E, M), `NO_WORD` where an
        expert has fewer words. Instruction tokens whose mask is 0 are not read."""
        batch, places = visual_BQD.shape[:2]
        memory_BLD = torch.cat(
            [
                self.visual_norm(visual_BQD) + self.kind[0],
                self.instruction_norm(instruction_BID) + self.kind[1],
            ],
            dim=1,
        )
        seen_BL = F.pad(instruction_mask_BI.bool(), (places, 0), value=True)
        x_BKD = self.queries.flatten(0, 1).expand(batch, -1, -1)
        for layer in self.layers:
            x_BKD = layer(x_BKD, memory_BLD, seen_BL)
        x_BEKD = self.norm(x_BKD).unflatten(1, (self.experts, -1))
        head_BED = x_BEKD[:, :, 0]
        prompts_BEPD = self.prompt_start + self.prompt(x_BEKD[:, :, 1:])
        # A product and a sum, not a matrix product, which autocast would round.
        heard_BE = (head_BED.float() * self.weight.float()).sum(dim=-1) + self.weight_start.float()
        weights_BE = heard_BE.softmax(dim=-1)
        return prompts_BEPD, weights_BE, self._word_logits(head_BED)

    def _word_logits(self, head_BED: Tensor) -> Tensor:
        if not self.longest:
            return head_BED.new_empty(*head_BED.shape[:2], 0, dtype=torch.float32)
        logits = [layer(head_BED[:, e]).float() for e, layer in enumerate(self.words)]
        return torch.stack(
            [F.pad(one, (0, self.longest - one.shape[1]), value=NO_WORD) for one in logits], dim=1
        )


class CommonPrompt(nn.Module):
    """The ablation without Instruction Router: one learned prompt for all experts, uniform weights, no words."""

    def __init__(self, config: RsMoeConfig) -> None:
        super().__init__()
        text = config.text_config
        self.experts, self.std = config.num_experts, config.initializer_range
        self.prompt = nn.Parameter(torch.empty(config.prompt_length, text.hidden_size))  # type: ignore[union-attr]
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.normal_(self.prompt, std=self.std)

    def forward(
        self, visual_BQD: Tensor, instruction_BID: Tensor, instruction_mask_BI: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `InstructionRouter`, with M = 0; nothing is read."""
        batch = len(visual_BQD)
        weights_BE = self.prompt.new_full((batch, self.experts), 1 / self.experts, dtype=torch.float32)
        prompts = self.prompt.expand(batch, self.experts, -1, -1)
        return prompts, weights_BE, weights_BE.new_empty(batch, self.experts, 0)


def told_words(word_logits_BEM: Tensor, most: int) -> Told:
    """The words each expert is told: at most `most` of those more probable than not, and the surest in any case."""
    if not most or not word_logits_BEM.shape[-1]:
        return [[[] for _ in row] for row in word_logits_BEM]
    logits, order = word_logits_BEM.detach().float().sort(dim=-1, descending=True, stable=True)
    top = zip(order[..., :most].tolist(), logits[..., :most].tolist(), strict=True)
    return [
        [
            [
                word
                for rank, (word, logit) in enumerate(zip(words, values, strict=True))
                if logit > 0 or (rank == 0 and logit > NO_WORD / 2)
            ]
            for words, values in zip(*row, strict=True)
        ]
        for row in top
    ]


__all__ = ["NO_WORD", "CommonPrompt", "InstructionRouter", "RouterLayer", "Told", "told_words"]
