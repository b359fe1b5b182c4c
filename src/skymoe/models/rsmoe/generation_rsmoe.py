"""RS-MoE with its head: losses, the experts' findings, and answers.

Shapes: B rows, E experts (1 in stage I), S sequence, F tokens of a finding, M words of the longest list, n supervised
tokens, V vocabulary, D hidden size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GenerationMixin
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import CausalLMOutputWithPast

from ..cache_name import CACHE, cached
from .configuration_rsmoe import RsMoeConfig
from .explaining import Explained, explain
from .instruction_router import Told, told_words
from .modeling_rsmoe import Encoded, RsMoeModel, RsMoePreTrainedModel
from .streams import mixture
from .sub_tasks import end_ids, pad_id, task_rows

IGNORED_LABEL = -100
_NEEDED = "give instruction_ids, the tokens of the question (RsMoeProcessor makes them), and pixel_values"


@dataclass
class RsMoeOutput(CausalLMOutputWithPast):
    """`logits` are log-probabilities of the mixture (B, S, V) in float32, None with `answers_only`. `loss` is
    `answer_loss` + sub_task_coef · `sub_loss` + word_coef · `word_loss`, of those that there are labels for."""

    answer_loss: Tensor | None = None
    sub_loss: Tensor | None = None
    word_loss: Tensor | None = None
    expert_weights: Tensor | None = None


class RsMoeForConditionalGeneration(RsMoePreTrainedModel, GenerationMixin):
    """RS-MoE with its language-model head: `AutoModelForImageTextToText` resolves to this class.

    `generate` is Transformers' own (greedy, beams, sampling). Before it the router makes the prompts and the experts
    their findings, once for each row.
    """

    def __init__(self, config: RsMoeConfig) -> None:
        super().__init__(config)
        text: Any = config.text_config
        self.model = RsMoeModel(config)
        self.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        embedding = self.model.get_input_embeddings()
        name = next(name for name, module in self.model.named_modules() if module is embedding)
        self._tied_weights_keys = {"lm_head.weight": f"model.{name}.weight"}
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def encode(
        self,
        pixel_values: Tensor | None,
        instruction_ids: Tensor,
        instruction_mask: Tensor | None = None,
        *,
        tower_features: Tensor | None = None,
    ) -> Encoded:
        """Pictures (B, 3, H, W) with instructions (B, I), mask 0 for padding; see `RsMoeModel.encode`."""
        return self.model.encode(
            instruction_ids, instruction_mask, pixel_values=pixel_values, tower_features=tower_features
        )

    def told(self, encoded: Encoded) -> Told:
        """The words that the router tells each expert (indices in `config.prompt_words`)."""
        return told_words(encoded.word_logits, self.config.words_told)

    def logits(self, hidden: Tensor, weights: Tensor) -> Tensor:
        """Log-probabilities of the mixture, float32: hidden states (B, S, E, D) or, at chosen places, (n, E, D), with
        weights (B, E) or (n, E) → (B, S, V) or (n, V)."""
        return mixture(self.lm_head(hidden), weights)

    @torch.no_grad()
    def find(self, encoded: Encoded, told: Told | None = None) -> Tensor:
        """Findings (B, E, F): each expert's own greedy answer to its sub-task, all experts and rows in one batch.

        A finding ends with the end token or after F tokens; from its end on stand pad tokens. `told` replaces the words
        that the router tells.
        """
        config, embed = self.config, self.get_input_embeddings()
        embeds, mask_BEL = self._sub_prompt(encoded, self.told(encoded) if told is None else told)
        cache = DynamicCache(config=config.text_config)
        end = torch.tensor(end_ids(config), device=embeds.device)
        shape = (*embeds.shape[:2], config.finding_length)
        findings_BEF = torch.full(shape, pad_id(config), device=embeds.device)
        ended_BE = torch.zeros(shape[:2], dtype=torch.bool, device=embeds.device)
        position_ids = _positions(mask_BEL)
        with _answering(self):
            for place in range(config.finding_length):
                outputs = self.model(
                    embeds,
                    attention_mask=mask_BEL,
                    position_ids=position_ids,
                    cache=cache,
                    use_cache=True,
                )
                token_BE = self.lm_head(outputs.last_hidden_state[:, -1]).argmax(dim=-1)
                ended_BE |= torch.isin(token_BE, end)
                if bool(ended_BE.all()):
                    break
                findings_BEF[..., place] = token_BE.masked_fill(ended_BE, pad_id(config))
                embeds = embed(findings_BEF[..., place])[:, :, None]
                mask_BEL = F.pad(mask_BEL, (0, 1), value=1)
                position_ids = position_ids[..., -1:] + 1
        return findings_BEF

    def sub_loss(self, encoded: Encoded, sub_labels: Tensor, told: Told | None = None) -> Tensor:
        """Mean cross-entropy of the experts' findings (B, E, F), −100 ignored. An expert's tokens are predicted by its
        own row alone, so that they reach its own adapter and no other's."""
        embeds, mask_BEL = self._sub_prompt(encoded, self.told(encoded) if told is None else told)
        said_BEF = sub_labels[..., :-1].clamp(min=0)
        spoken = self.get_input_embeddings()(said_BEF).to(embeds.dtype)
        mask_BEL = F.pad(mask_BEL, (0, said_BEF.shape[-1]), value=1)
        hidden = self.model(
            torch.cat([embeds, spoken], dim=2), attention_mask=mask_BEL, position_ids=_positions(mask_BEL)
        ).last_hidden_state
        hidden_BEFD = hidden[:, -sub_labels.shape[-1] :].transpose(1, 2)
        chosen = sub_labels != IGNORED_LABEL
        total = F.cross_entropy(
            self.lm_head(hidden_BEFD[chosen]).float(), sub_labels[chosen], reduction="sum"
        )
        return total / chosen.sum().clamp(min=1)

    def word_loss(self, encoded: Encoded, word_labels: Tensor) -> Tensor:
        """Mean binary cross-entropy of the words (B, E, M) of 0 and 1; −100 is ignored (as must be what is beyond an
        expert's own list)."""
        known = word_labels >= 0
        losses = F.binary_cross_entropy_with_logits(
            encoded.word_logits[known].float(), word_labels[known].float(), reduction="sum"
        )
        return losses / known.sum().clamp(min=1)

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        instruction_ids: Tensor | None = None,
        instruction_mask: Tensor | None = None,
        tower_features: Tensor | None = None,
        findings: Tensor | None = None,
        sub_labels: Tensor | None = None,
        word_labels: Tensor | None = None,
        told: Told | None = None,
        visual_embeds: Tensor | None = None,
        soft_prompts: Tensor | None = None,
        expert_weights: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        answers_only: bool = False,
        num_items_in_batch: Tensor | int | None = None,
        use_cache: bool | None = None,
        past_key_values: Cache | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> RsMoeOutput:
        """One pass over prompts with one picture and one instruction a row.

        Args:
            input_ids: (B, S) with `config.image_seq_length` image tokens in each row.
            pixel_values: (B, 3, H, W); or `tower_features` (B, N, width).
            attention_mask: (B, S) of 0/1, or a ready (B, 1, S, S) with `position_ids` (B, S) for several turns behind
                one prefix (`train.conversation.pack`).
            labels: (B, S), −100 where nothing is to be said; the loss is −log of the mixture.
            instruction_ids, instruction_mask: (B, I).
            findings: (B, E, F) in place of the experts' own, which are decoded without gradient otherwise.
            sub_labels: (B, E, F) what each expert should find; word_labels: (B, E, M) what it should be told.
            told: words told in the sub-tasks in place of the router's.
            visual_embeds, soft_prompts, expert_weights: an `Encoded` taken apart, in place of picture and instruction.
            cache, past_key_values: two names of one thing, see `models/cache_name.py`.
            answers_only: compute the loss at supervised places alone and return no logits (for training).
            num_items_in_batch: supervised tokens of all accumulated micro-batches, the loss's denominator then.

        Raises:
            ValueError: picture or instruction is missing, or image tokens are too few or too many.
        """
        encoded: Encoded | None = None
        cache = cache if cache is not None else past_key_values
        started = cache is not None and cache.get_seq_length() > 0
        if inputs_embeds is None:
            if input_ids is None:
                raise ValueError("give input_ids or inputs_embeds")
            if started:
                inputs_embeds = self.get_input_embeddings()(input_ids)
            else:
                encoded = self._encoded(
                    pixel_values, instruction_ids, instruction_mask, tower_features, visual_embeds, soft_prompts,
                    expert_weights,
                )  # fmt: skip
                if findings is None and self.config.num_experts:
                    findings = self.find(encoded, told)
                inputs_embeds = self.model.place(input_ids, encoded, findings)
                expert_weights = encoded.weights
        if expert_weights is None:
            expert_weights = inputs_embeds.new_ones(len(inputs_embeds), 1, dtype=torch.float32)
            if self.config.num_experts:
                raise ValueError("give the expert_weights (B, E) of these embeddings")
        if position_ids is None and attention_mask is not None and attention_mask.dim() == 2 and not started:
            position_ids = _positions(attention_mask)
        outputs = self.model(
            inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            cache=cache,
            use_cache=bool(use_cache) or cache is not None,
        )
        hidden_BSED = outputs.last_hidden_state
        output = RsMoeOutput(**cached(outputs.get(CACHE)), expert_weights=expert_weights)
        if not (labels is not None and answers_only):
            keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
            output.logits = self.logits(hidden_BSED[:, keep], expert_weights)
        share: Tensor | float = 1.0
        if labels is not None:
            output.answer_loss = self._answer_loss(hidden_BSED, expert_weights, labels, num_items_in_batch)
            output.loss = output.answer_loss
            if num_items_in_batch is not None:
                # Micro-batches count by their share of the supervised tokens, or these losses would grow with their
                # number.
                items = torch.as_tensor(num_items_in_batch, device=labels.device)
                share = (labels[:, 1:] != IGNORED_LABEL).sum() / items
        if sub_labels is not None and encoded is not None:
            output.sub_loss = self.sub_loss(encoded, sub_labels, told)
            term = self.config.sub_task_coef * share * output.sub_loss
            output.loss = term if output.loss is None else output.loss + term
        if word_labels is not None and encoded is not None and encoded.word_logits.shape[-1]:
            output.word_loss = self.word_loss(encoded, word_labels)
            term = self.config.word_coef * share * output.word_loss
            output.loss = term if output.loss is None else output.loss + term
        return output

    @torch.no_grad()
    def generate(self, inputs: Tensor | None = None, **kwargs: Any) -> Any:
        """Transformers' `generate` for a batch of prompts (padded on the left), with `pixel_values`, `instruction_ids`
        and `instruction_mask`; `findings` (B, E, F) replace the experts' own."""
        if kwargs.get("inputs_embeds") is None and kwargs.get("visual_embeds") is None:
            names = ("pixel_values", "instruction_ids", "instruction_mask", "tower_features")
            encoded = self._encoded(*(kwargs.pop(name, None) for name in names))
            if kwargs.get("findings") is None and self.config.num_experts:
                kwargs["findings"] = self.find(encoded)
            # Plain tensors, because beam search repeats those for each beam and nothing else.
            kwargs |= {
                "visual_embeds": encoded.visual,
                "soft_prompts": encoded.prompts,
                "expert_weights": encoded.weights,
            }
        return super().generate(inputs, **kwargs)

    @torch.no_grad()
    def explain(
        self,
        processor: Any,
        pixel_values: Tensor,
        instruction_ids: Tensor,
        instruction_mask: Tensor | None = None,
    ) -> list[Explained]:
        """For each row what the router told the experts and what they found."""
        encoded = self.encode(pixel_values, instruction_ids, instruction_mask)
        return explain(
            self.config, processor.tokenizer, encoded.weights, self.told(encoded), self.find(encoded)
        )

    def _encoded(
        self,
        pixel_values: Tensor | None = None,
        instruction_ids: Tensor | None = None,
        instruction_mask: Tensor | None = None,
        tower_features: Tensor | None = None,
        visual_embeds: Tensor | None = None,
        soft_prompts: Tensor | None = None,
        expert_weights: Tensor | None = None,
    ) -> Encoded:
        if visual_embeds is not None and soft_prompts is not None and expert_weights is not None:
            return Encoded(visual_embeds, soft_prompts, expert_weights, expert_weights[..., None][..., :0])
        if instruction_ids is None or (pixel_values is None and tower_features is None):
            raise ValueError(_NEEDED)
        return self.encode(pixel_values, instruction_ids, instruction_mask, tower_features=tower_features)

    def _sub_prompt(self, encoded: Encoded, told: Told) -> tuple[Tensor, Tensor]:
        """Embeddings (B, E, L, D) of [head][visual tokens][soft prompt][task], and their mask (B, E, L)."""
        embed = self.get_input_embeddings()
        device = encoded.visual.device
        batch, experts = encoded.weights.shape
        task_BET, mask_BET = task_rows(self.config, told, device)
        head = torch.tensor(list(self.config.prompt_head_ids), dtype=torch.long, device=device)
        head_BEHD = embed(head).expand(batch, experts, -1, -1)
        visual_BEQD = encoded.visual[:, None].expand(-1, experts, -1, -1)
        parts = (head_BEHD, visual_BEQD, encoded.prompts, embed(task_BET))
        embeds = torch.cat([part.to(head_BEHD.dtype) for part in parts], dim=2)
        return embeds, F.pad(mask_BET, (embeds.shape[2] - mask_BET.shape[2], 0), value=1)

    def _answer_loss(
        self, hidden_BSED: Tensor, weights_BE: Tensor, labels: Tensor, num_items: Tensor | int | None
    ) -> Tensor:
        supervised = labels[:, 1:] != IGNORED_LABEL
        target_N, row_N = labels[:, 1:][supervised], supervised.nonzero()[:, 0]
        logits_NEV = self.lm_head(hidden_BSED[:, :-1][supervised]).float()
        experts = logits_NEV.shape[1]
        nll = F.cross_entropy(logits_NEV.flatten(0, 1), target_N.repeat_interleave(experts), reduction="none")
        tiny = torch.finfo(torch.float32).tiny  # a weight of 0 has no logarithm and no finite gradient
        log_weights_NE = weights_BE.float().clamp(min=tiny).log()[row_N]
        total = -torch.logsumexp(log_weights_NE - nll.unflatten(0, (-1, experts)), dim=-1).sum()
        count: Any = target_N.numel() if num_items is None else num_items
        return total / max(count, 1) if isinstance(count, int) else total / count.to(total.device)


@contextmanager
def _answering(model: nn.Module) -> Iterator[None]:
    """The model as it answers, also while it is trained: without dropout, and without gradient checkpointing, which
    would silently take the cache away."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _positions(mask: Tensor) -> Tensor:
    """Positions of tokens whose padding (mask 0) is skipped."""
    return (mask.long().cumsum(dim=-1) - 1).clamp(min=0)


__all__ = ["RsMoeForConditionalGeneration", "RsMoeOutput"]
