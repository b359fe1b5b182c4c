"""RS-MoE: encoder, Instruction Router and expert decoders up to the hidden states.

Shapes: B rows (a picture and one instruction each), E experts (1 in stage I), N tower features, Q visual tokens,
P soft-prompt tokens, I instruction tokens, F tokens of a finding, M words, S sequence, D hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoModel,
    InstructBlipQFormerModel,
    InstructBlipVisionConfig,
    InstructBlipVisionModel,
    PreTrainedModel,
)
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPast

from ..whole_weights import ReadWhole
from .adapters import AdaptedLinear
from .configuration_rsmoe import RsMoeConfig
from .instruction_router import CommonPrompt, InstructionRouter
from .streams import ExpertDecoder

# The library knows ViT-g/14's configuration by name, but not which model belongs to it.
AutoModel.register(InstructBlipVisionConfig, InstructBlipVisionModel, exist_ok=True)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Pictures and instructions as the experts see them. In stage I: E = 1, P = M = 0, weight 1.

    `visual` (B, Q, D), `prompts` (B, E, P, D), `weights` (B, E) in float32, `word_logits` (B, E, M).
    """

    visual: Tensor
    prompts: Tensor
    weights: Tensor
    word_logits: Tensor

    def rows(self, index: Any) -> Encoded:
        """Some of the rows, in the order of the index (a slice, a list or a tensor)."""
        return Encoded(self.visual[index], self.prompts[index], self.weights[index], self.word_logits[index])


class RsMoePreTrainedModel(ReadWhole, PreTrainedModel):
    config: RsMoeConfig
    config_class = RsMoeConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def initialize_weights(self) -> None:
        """Also give router and adapters that no checkpoint filled their start: the library asks the nearest
        PreTrainedModel, for the adapters the decoder, which does not know them."""
        for module in self.modules():
            if getattr(module, "_is_hf_initialized", False):
                continue
            with torch.no_grad():
                if isinstance(module, AdaptedLinear):
                    module.reset_adapters()
                elif isinstance(module, (InstructionRouter, CommonPrompt)):
                    module.reset_parameters()
                elif isinstance(module, RsMoeModel):
                    init.normal_(module.query_tokens, std=self.config.initializer_range)
        super().initialize_weights()


class RsMoeModel(RsMoePreTrainedModel):
    """Tower, Q-Former, projection, router and expert decoders, without the language-model head."""

    def __init__(self, config: RsMoeConfig) -> None:
        super().__init__(config)
        text: Any = config.text_config
        qformer: Any = config.qformer_config
        vision: Any = config.vision_config
        self.vision_tower = AutoModel.from_config(config.vision_config)
        self.feature_projector: nn.Module = nn.Identity()
        if config.feature_width is not None:
            self.feature_projector = nn.Linear(vision.hidden_size, config.feature_width)
        self.query_tokens = nn.Parameter(torch.zeros(1, config.num_query_tokens, qformer.hidden_size))
        self.qformer = InstructBlipQFormerModel(qformer)
        self.projector = nn.Linear(qformer.hidden_size, text.hidden_size)
        self.router: InstructionRouter | CommonPrompt | None = None
        if config.num_experts:
            self.router = (InstructionRouter if config.router == "instruction" else CommonPrompt)(config)
        self.language_model = ExpertDecoder(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.decoder.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.decoder.set_input_embeddings(value)

    def tower_features(self, pixel_values: Tensor) -> Tensor:
        """What the Q-Former reads of pictures (B, 3, H, W): (B, N, tower's width)."""
        layer = self.config.vision_feature_layer
        outputs = self.vision_tower(pixel_values, output_hidden_states=layer is not None)
        features = outputs.last_hidden_state if layer is None else outputs.hidden_states[layer]
        return features[:, 1:] if self.config.vision_feature_select_strategy == "default" else features

    def encode(
        self,
        instruction_ids: Tensor,
        instruction_mask: Tensor | None = None,
        *,
        pixel_values: Tensor | None = None,
        tower_features: Tensor | None = None,
    ) -> Encoded:
        """Pictures read with their instructions (B, I), and what the router makes of both.

        Args:
            instruction_mask: (B, I), 0 for padding (on the right), which nothing reads.
            tower_features: (B, N, width) as `tower_features` gives them, in place of the pictures: a frozen tower
                need run once only.
        """
        if tower_features is None:
            if pixel_values is None:
                raise ValueError("give pixel_values or tower_features of the pictures")
            tower_features = self.tower_features(pixel_values)
        if instruction_mask is None:
            instruction_mask = torch.ones_like(instruction_ids)
        batch, queries = len(instruction_ids), self.config.num_query_tokens
        if len(tower_features) != batch:
            raise ValueError(
                f"{len(tower_features)} pictures for {batch} instructions: give one picture for each"
            )
        read = self.qformer(
            input_ids=instruction_ids,
            attention_mask=torch.cat([instruction_mask.new_ones(batch, queries), instruction_mask], dim=1),
            query_embeds=self.query_tokens.expand(batch, -1, -1),
            encoder_hidden_states=self.feature_projector(tower_features),
        ).last_hidden_state
        visual_BQD = self.projector(read[:, :queries])
        if self.router is None:
            width = visual_BQD.shape[-1]
            return Encoded(
                visual_BQD,
                visual_BQD.new_empty(batch, 1, 0, width),
                torch.ones(batch, 1, device=visual_BQD.device),
                visual_BQD.new_empty(batch, 1, 0),
            )
        instruction_BID = self.get_input_embeddings()(instruction_ids)
        return Encoded(visual_BQD, *self.router(visual_BQD, instruction_BID, instruction_mask))

    def place(self, input_ids: Tensor, encoded: Encoded, findings: Tensor | None = None) -> Tensor:
        """Embeddings (B, E, S, D) of prompts (B, S): at the image tokens of expert e's row stand the visual tokens, the
        soft prompt of e and the findings (B, E, F) of all experts.

        Raises:
            ValueError: the prompts have another number of image tokens than that.
        """
        embed = self.get_input_embeddings()
        embeds_BSD = embed(input_ids)
        streams = self.config.streams
        parts = [encoded.visual[:, None].expand(-1, streams, -1, -1), encoded.prompts]
        if findings is not None:
            parts.append(embed(findings).flatten(1, 2)[:, None].expand(-1, streams, -1, -1))
        slots_BEND = torch.cat([part.to(embeds_BSD.dtype) for part in parts], dim=2)
        pictures_BS = input_ids == self.config.image_token_index
        if not bool((pictures_BS.sum(dim=1) == slots_BEND.shape[2]).all()):
            raise ValueError(
                f"each prompt needs {slots_BEND.shape[2]} image tokens (config.image_seq_length), "
                f"these have {pictures_BS.sum(dim=1).tolist()}"
            )
        embeds_BESD = embeds_BSD[:, None].expand(-1, streams, -1, -1)
        return embeds_BESD.masked_scatter(pictures_BS[:, None, :, None], slots_BEND)

    def forward(self, inputs_embeds: Tensor, **kwargs: Any) -> BaseModelOutputWithPast:
        """The experts on embeddings (B, S, D) or (B, E, S, D), see `ExpertDecoder`: hidden states (B, S, E, D)."""
        return self.language_model(inputs_embeds, **kwargs)


__all__ = ["Encoded", "RsMoeModel", "RsMoePreTrainedModel"]
