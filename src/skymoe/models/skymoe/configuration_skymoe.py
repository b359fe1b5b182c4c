"""Configuration of SkyMoE: a LLaVA configuration plus where the experts are and how tokens reach them."""

from __future__ import annotations

from typing import Any

from transformers import LlavaConfig


class SkyMoeConfig(LlavaConfig):
    """Vision tower → adaptor → decoder, with some of the decoder's FFNs replaced by experts.

    `vision_config` may be any Transformers vision encoder and `text_config` any Llama-like decoder (layers with
    `mlp.gate_proj/up_proj/down_proj`). The expert layers are `moe_layers` where that list is given, else every
    `moe_layer_interval`-th layer from `moe_layer_offset` on (the paper: every second one, here 0, 2, 4 …).
    `num_experts=0` is the dense model of stage I.

    Args:
        num_experts: experts E in each MoE layer (paper: 8); 0 for a dense model.
        num_experts_per_tok: experts K that each token passes through (paper: 2).
        norm_topk_prob: renormalise the K weights to sum to 1; False is Eq. 4 as printed.
        router_conditioning: None for the plain token router, "instruction" to add a term from the pooled instruction.
        router_aux_loss_coef: α of Eq. 5.
        router_aux_loss_reduction: "mean" or "sum" of the balance loss over MoE layers.
        output_router_logits: return every MoE layer's router logits (T, E) from `forward`.

    Raises:
        ValueError: for layers that do not exist or more experts per token than experts.
    """

    model_type = "skymoe"

    base_model_ep_plan = {
        "language_model.layers.*.mlp.experts.gate_up_proj": "grouped_gemm",
        "language_model.layers.*.mlp.experts.down_proj": "grouped_gemm",
        "language_model.layers.*.mlp.experts": "ep_dispatch_experts",
    }

    num_experts: int = 8
    num_experts_per_tok: int = 2
    moe_layer_interval: int = 2
    moe_layer_offset: int = 0
    moe_layers: list[int] | None = None
    norm_topk_prob: bool = True
    router_conditioning: str | None = None
    router_aux_loss_coef: float = 0.01
    router_aux_loss_reduction: str = "mean"
    output_router_logits: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        depth = self.text_config.num_hidden_layers
        if self.moe_layer_interval < 1 or self.moe_layer_offset < 0:
            raise ValueError(
                f"moe_layer_interval={self.moe_layer_interval} must be at least 1 and "
                f"moe_layer_offset={self.moe_layer_offset} at least 0"
            )
        if self.num_experts and not self.expert_layers:
            raise ValueError(
                f"num_experts={self.num_experts} but no layer of the decoder's {depth} has experts: lower "
                f"moe_layer_offset={self.moe_layer_offset}, name moe_layers, or set num_experts=0 for a dense model"
            )
        if any(not 0 <= layer < depth for layer in self.expert_layers):
            raise ValueError(
                f"moe_layers={self.moe_layers} names layers outside 0…{depth - 1}, the decoder's depth"
            )
        if self.num_experts and not 1 <= self.num_experts_per_tok <= self.num_experts:
            raise ValueError(
                f"num_experts_per_tok={self.num_experts_per_tok} must lie between 1 and num_experts={self.num_experts}"
            )
        if self.router_conditioning not in (None, "instruction"):
            raise ValueError(
                f"router_conditioning={self.router_conditioning!r} must be None or 'instruction'"
            )
        if self.router_aux_loss_reduction not in ("mean", "sum"):
            raise ValueError(
                f"router_aux_loss_reduction={self.router_aux_loss_reduction!r} must be 'mean' or 'sum'"
            )

    @property
    def expert_layers(self) -> list[int]:
        """Indices of the decoder layers whose FFN is a mixture of experts."""
        if not self.num_experts:
            return []
        if self.moe_layers is not None:
            return sorted(set(self.moe_layers))
        return list(range(self.moe_layer_offset, self.text_config.num_hidden_layers, self.moe_layer_interval))


__all__ = ["SkyMoeConfig"]
