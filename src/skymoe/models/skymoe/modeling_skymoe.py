"""SkyMoE: the LLaVA model of Transformers whose decoder carries experts in place of some of its FFNs.

Shapes: B batch, S sequence, T = B·S tokens, D hidden size, V vocabulary, E experts, N visual tokens of a picture.
Vision tower, adaptor, decoder, caches and masks are the library's; here stands where SkyMoE differs from LLaVA.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModel, LlavaForConditionalGeneration, LlavaModel, LlavaPreTrainedModel
from transformers.models.llava.modeling_llava import LlavaCausalLMOutputWithPast, LlavaMultiModalProjector

from ..cache_name import cached
from ..fitness import readable_mask
from ..moe import Experts, SparseMoeBlock, TokenRouter, record_routing, total_balance_loss
from ..whole_weights import ReadWhole
from .configuration_skymoe import SkyMoeConfig

IGNORED_LABEL = -100


@dataclass
class SkyMoeCausalLMOutputWithPast(LlavaCausalLMOutputWithPast):
    """LLaVA's output plus `aux_loss` (scalar, Eq. 7), `router_logits` (one (T, E) per MoE layer, when asked for) and
    `instruction_embeds` (B, D), which generation hands from step to step when the router reads the instruction."""

    aux_loss: Tensor | None = None
    router_logits: tuple[Tensor, ...] | None = None
    instruction_embeds: Tensor | None = None


class SkyMoePreTrainedModel(ReadWhole, LlavaPreTrainedModel):
    config: SkyMoeConfig
    config_class = SkyMoeConfig
    base_model_prefix = "model"

    @classmethod
    def _can_set_experts_implementation(cls) -> bool:
        # The library looks for its decorator in this module's source; ours stands in models/moe.py.
        return True

    def initialize_weights(self) -> None:
        """Also give routers and experts that no checkpoint filled their start. The library asks the nearest
        PreTrainedModel, here the decoder, to initialise a module, and no decoder knows these."""
        for module in self.modules():
            ours = isinstance(module, (TokenRouter, Experts))
            if ours and not getattr(module, "_is_hf_initialized", False):
                with torch.no_grad():
                    module.reset_parameters()
        super().initialize_weights()


class SkyMoeModel(SkyMoePreTrainedModel, LlavaModel):
    """Vision tower, adaptor and decoder, without the language-model head."""

    def __init__(self, config: SkyMoeConfig) -> None:
        super(LlavaModel, self).__init__(
            config
        )  # skips LlavaModel's own, whose last act is to finish the model
        self.vision_tower = AutoModel.from_config(config.vision_config)
        self.multi_modal_projector = LlavaMultiModalProjector(config)
        self.language_model = AutoModel.from_config(config.text_config)
        layers: Any = getattr(self.language_model, "layers", None)
        for index in config.expert_layers:
            ffn = getattr(layers[index], "mlp", None) if layers is not None else None
            if ffn is None or not all(hasattr(ffn, name) for name in ("gate_proj", "up_proj", "down_proj")):
                raise ValueError(
                    f"decoder {config.text_config.model_type!r} has no Llama-like FFN in layer {index} "
                    "(mlp.gate_proj, up_proj, down_proj); choose a decoder like Llama, Mistral, Qwen or Gemma"
                )
            if getattr(ffn.gate_proj, "bias", None) is not None:
                raise ValueError(
                    f"decoder {config.text_config.model_type!r} has biases in its FFN (mlp_bias=True), "
                    "which experts have not"
                )
            layers[index].mlp = SparseMoeBlock(config)
        self.post_init()

    def get_image_features(
        self,
        pixel_values: Tensor,
        vision_feature_layer: int | list[int] | None = None,
        vision_feature_select_strategy: str | None = None,
        image_sizes: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Visual tokens after the adaptor. Pictures of another size than the tower was made for get their position
        embeddings interpolated, which `LlavaModel` does not ask of CLIP and SigLIP by itself."""
        native = getattr(self.config.vision_config, "image_size", None)
        towers = ("clip_vision_model", "siglip_vision_model")
        if self.config.vision_config.model_type in towers and pixel_values.shape[-2:] != (native, native):
            kwargs["interpolate_pos_encoding"] = True
        return super().get_image_features(
            pixel_values=pixel_values,
            vision_feature_layer=vision_feature_layer,
            vision_feature_select_strategy=vision_feature_select_strategy,
            image_sizes=image_sizes,
            **kwargs,
        )

    def routers(self) -> list[TokenRouter]:
        """The routers of all MoE layers, from the first layer to the last."""
        return [self.language_model.layers[index].mlp.router for index in self.config.expert_layers]


class SkyMoeForConditionalGeneration(SkyMoePreTrainedModel, LlavaForConditionalGeneration):
    """SkyMoE with its language-model head: `AutoModelForImageTextToText` resolves to this class.

    Example::

        processor = AutoProcessor.from_pretrained(path)
        model = AutoModelForImageTextToText.from_pretrained(path)
        inputs = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=True,
                                               return_dict=True, return_tensors="pt")
        print(processor.decode(model.generate(**inputs, max_new_tokens=64)[0]))
    """

    def __init__(self, config: SkyMoeConfig) -> None:
        super(LlavaForConditionalGeneration, self).__init__(config)
        self.model = SkyMoeModel(config)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Any = None,
        position_ids: Tensor | None = None,
        cache: Any = None,
        inputs_embeds: Tensor | None = None,
        mm_encoder_outputs: dict[str, Any] | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        token_mask: Tensor | None = None,
        instruction_embeds: Tensor | None = None,
        output_router_logits: bool | None = None,
        answers_only: bool = False,
        num_items_in_batch: Tensor | int | None = None,
        past_key_values: Any = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> SkyMoeCausalLMOutputWithPast:
        """One pass; with `labels` the loss of Eq. 5: cross-entropy of the answer tokens (Eq. 6, others −100) + α·L_aux.

        Args:
            input_ids: (B, S) with N image tokens for each picture.
            pixel_values: (pictures, 3, H, W).
            attention_mask: (B, S) of 0/1, or a ready 4-D mask for packed sequences; then also give `token_mask`.
            mm_encoder_outputs: {"image": what `get_image_features` returned} in place of `pixel_values`, so that a
                picture is encoded once for many questions.
            token_mask: (B, S), False for padding, which then counts in no balance loss. Default: a 2-D attention mask.
            instruction_embeds: (B, D) pooled instruction for the conditioned router; computed from the prompt if None.
            cache, past_key_values: two names of one thing, see `models/cache_name.py`.
            answers_only: compute logits at supervised positions alone (saves memory and time in training); the returned
                logits are then (supervised tokens, V).

        Raises:
            ValueError: the conditioned router is given packed sequences, or embeddings without their instruction.
        """
        # The arguments are spelt out, because generation gives only what the signature names: without `position_ids`
        # it would count a left-padded question's positions from its padding.
        if output_router_logits is None:
            output_router_logits = self.config.output_router_logits
        inputs = input_ids if input_ids is not None else inputs_embeds
        plain_mask = isinstance(attention_mask, Tensor) and attention_mask.dim() == 2
        if token_mask is None and plain_mask and attention_mask is not None and inputs is not None:
            token_mask = attention_mask[:, -inputs.shape[1] :]
        if self.config.router_conditioning == "instruction" and instruction_embeds is None:
            if isinstance(attention_mask, Tensor) and not plain_mask and labels is not None:
                raise ValueError(
                    "the instruction-conditioned router has one instruction a row: train it without packing"
                )
            instruction_embeds = self._pool_instruction(input_ids, token_mask, labels)
        for router in self.model.routers():
            router.instruction_BD = instruction_embeds

        with record_routing() as router_logits:
            outputs = self.model(
                input_ids=input_ids,
                pixel_values=pixel_values,
                attention_mask=readable_mask(attention_mask, self.model.language_model),
                position_ids=position_ids,
                inputs_embeds=inputs_embeds,
                mm_encoder_outputs=mm_encoder_outputs,
                **cached(cache if cache is not None else past_key_values),
                **kwargs,
            )
        hidden_BSD = outputs.last_hidden_state
        loss = aux_loss = None
        if labels is not None and answers_only:
            supervised = labels[:, 1:] != IGNORED_LABEL
            logits = self.lm_head(hidden_BSD[:, :-1][supervised])
            loss = _mean_loss(logits, labels[:, 1:][supervised], num_items_in_batch)
        else:
            keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
            logits = self.lm_head(hidden_BSD[:, keep])
            if labels is not None:
                loss = _mean_loss(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), num_items_in_batch)
        if router_logits and (labels is not None or output_router_logits):
            trains = labels is not None and torch.is_grad_enabled() and self.config.router_aux_loss_coef
            if trains and not router_logits[0].requires_grad and self.model.routers()[0].weight.requires_grad:
                raise ValueError(
                    "re-entrant gradient checkpointing loses the balance loss; set use_reentrant=False, the default"
                )
            aux_loss = total_balance_loss(
                router_logits, token_mask, reduction=self.config.router_aux_loss_reduction
            )
            if labels is not None and loss is not None:
                # Over accumulated micro-batches, whose cross-entropies share one denominator, each balance loss counts
                # by its share of the supervised tokens; else α would grow with the number of micro-batches.
                share: Tensor | float = 1.0
                if num_items_in_batch is not None:
                    items = torch.as_tensor(num_items_in_batch, device=labels.device)
                    share = (labels[:, 1:] != IGNORED_LABEL).sum() / items
                loss = loss + self.config.router_aux_loss_coef * share * aux_loss
        return SkyMoeCausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            **{name: value for name, value in outputs.items() if name != "last_hidden_state"},
            aux_loss=aux_loss,
            router_logits=tuple(router_logits) if output_router_logits else None,
            instruction_embeds=instruction_embeds,
        )

    def _pool_instruction(
        self, input_ids: Tensor | None, token_mask: Tensor | None, labels: Tensor | None
    ) -> Tensor:
        """Mean embedding (B, D) of the instruction's tokens: neither pictures, nor padding, nor supervised answers."""
        if input_ids is None:
            raise ValueError(
                "the instruction-conditioned router needs input_ids or instruction_embeds, got inputs_embeds alone"
            )
        chosen = input_ids != self.config.image_token_id
        if token_mask is not None:
            chosen &= token_mask.bool()
        if labels is not None:
            chosen &= labels == IGNORED_LABEL
        weight = chosen.unsqueeze(-1).float()
        embeds = self.get_input_embeddings()(input_ids).float() * weight
        return embeds.sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, attention_mask: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        model_inputs = super().prepare_inputs_for_generation(
            input_ids, attention_mask=attention_mask, **kwargs
        )
        # A static cache makes a 4-D mask of the 2-D one, from which padding could no longer be told.
        if isinstance(attention_mask, Tensor) and attention_mask.dim() == 2:
            length = next(
                model_inputs[key].shape[1]
                for key in ("input_ids", "inputs_embeds")
                if model_inputs.get(key) is not None
            )
            model_inputs["token_mask"] = attention_mask[:, -length:]
        return model_inputs

    def _update_model_kwargs_for_generation(
        self, outputs: Any, model_kwargs: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        model_kwargs = super()._update_model_kwargs_for_generation(outputs, model_kwargs, **kwargs)
        if getattr(outputs, "instruction_embeds", None) is not None:
            model_kwargs["instruction_embeds"] = outputs.instruction_embeds
        return model_kwargs


def _mean_loss(logits: Tensor, labels: Tensor, num_items: Tensor | int | None) -> Tensor:
    """Cross-entropy per supervised token; over `num_items` where gradient accumulation fixes the denominator."""
    total = F.cross_entropy(logits.float(), labels, ignore_index=IGNORED_LABEL, reduction="sum")
    count = (labels != IGNORED_LABEL).sum().clamp(min=1) if num_items is None else num_items
    return total / (count.to(total.device) if isinstance(count, Tensor) else count)


def activated_parameters(model: nn.Module, config: SkyMoeConfig) -> int:
    """Parameters that one token passes through: all but the experts that the router did not choose."""
    total = sum(p.numel() for p in model.parameters())
    experts = sum(p.numel() for name, p in model.named_parameters() if ".mlp.experts." in name)
    if not config.num_experts:
        return total
    return total - experts + experts * config.num_experts_per_tok // config.num_experts


__all__ = [
    "SkyMoeCausalLMOutputWithPast",
    "SkyMoeForConditionalGeneration",
    "SkyMoeModel",
    "SkyMoePreTrainedModel",
]
