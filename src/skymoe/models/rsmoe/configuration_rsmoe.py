"""Configuration of RS-MoE: what its encoder, its Instruction Router and its expert language models are made of."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, InstructBlipQFormerConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

EXPERT_NAMES = ("theme", "objects", "relations")
"""The three sub-tasks of the paper: theme comprehension, object recognition, relationship inference."""
EXPERT_TASKS = (
    "What is the theme of this image?[ Think of {words}.]",
    "Which objects are in this image?[ Look for {words}.]",
    "How are the objects in this image related?[ Look for {words}.]",
)
"""What each expert is asked; the part in brackets only when the router tells words. The paper's are not public."""
# The paper adapts query and value in self-attention and the FFN; its decoders have no cross-attention.
LORA_TARGETS = ("q_proj", "v_proj", "gate_proj", "up_proj", "down_proj")


class RsMoeConfig(PreTrainedConfig):
    """Vision tower → instruction-aware Q-Former → Instruction Router → expert decoders → one mixture.

    `vision_config` may be any Transformers vision encoder (default: the library's ViT-g/14), `text_config` any decoder
    whose adapted layers are `nn.Linear`. `expert_names=[]` is stage I: one decoder, no router, no adapters.
    Token lists (`*_ids`) are what `task_tokens` makes of the texts, since the model itself has no tokenizer.

    Args:
        num_query_tokens: visual tokens Q that the Q-Former makes of a picture.
        vision_feature_layer: hidden state of the tower that is read; None for its last, normalised output.
        vision_feature_select_strategy: "full", or "default" to drop the tower's first token.
        feature_width: width to which one linear layer brings the tower's features before the Q-Former reads them; None
            for none. Else a small Q-Former on wide tokens spends most of its weights on reading them in each layer.
        expert_names: the experts' names; their number is E.
        expert_tasks: what each expert is asked, a text with "[… {words} …]" (see `EXPERT_TASKS`).
        prompt_words: for each expert the words that the router may tell it (may be empty).
        prompt_length: soft-prompt tokens P of each expert.
        words_told: at most that many words W are told to each expert.
        finding_length: tokens F of a finding, its end among them.
        lora_rank, lora_alpha, lora_targets: the experts' adapters; the last are names of linear layers.
        router: "instruction", or "none" (ablation: one learned prompt for all, no words, uniform weights).
        router_layers, router_heads: depth and heads of the router's cross-attention.
        sub_task_coef, word_coef: weights of the sub-task and the word loss beside the answer's.

    Raises:
        ValueError: lists of different lengths, unknown names of choices, or sizes below 1.
    """

    model_type = "rsmoe"
    attribute_map = {"image_token_id": "image_token_index"}
    sub_configs_defaults = {
        "vision_config": SubConfigSpec(config_class=AutoConfig, model_type="instructblip_vision_model"),
        "qformer_config": SubConfigSpec(config_class=InstructBlipQFormerConfig),
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="llama"),
    }

    vision_config: dict[str, Any] | PreTrainedConfig | None = None
    qformer_config: dict[str, Any] | PreTrainedConfig | None = None
    text_config: dict[str, Any] | PreTrainedConfig | None = None
    image_token_index: int = 32000
    vision_feature_layer: int | None = None
    vision_feature_select_strategy: str = "full"
    feature_width: int | None = None
    num_query_tokens: int = 32
    expert_names: list[str] | tuple[str, ...] = ()
    expert_tasks: list[str] | tuple[str, ...] = ()
    prompt_words: list[list[str]] | tuple[tuple[str, ...], ...] = ()
    prompt_length: int = 4
    words_told: int = 4
    finding_length: int = 12
    lora_rank: int = 16
    lora_alpha: float | int = 32
    lora_targets: list[str] | tuple[str, ...] = LORA_TARGETS
    router: str = "instruction"
    router_layers: int = 1
    router_heads: int = 8
    sub_task_coef: float = 1.0
    word_coef: float = 1.0
    prompt_head_ids: list[int] | tuple[int, ...] = ()
    expert_task_ids: list[list[list[int]]] | tuple[tuple[tuple[int, ...], ...], ...] = ()
    prompt_word_ids: list[list[list[int]]] | tuple[tuple[tuple[int, ...], ...], ...] = ()
    word_separator_ids: list[int] | tuple[int, ...] = ()
    initializer_range: float = 0.02
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        text: Any = self.text_config
        qformer: Any = self.qformer_config
        vision: Any = self.vision_config
        # The Q-Former reads the tower's features and the instruction's tokens in the decoder's own vocabulary.
        qformer.encoder_hidden_size = self.feature_width or vision.hidden_size
        qformer.vocab_size = text.vocab_size
        qformer.pad_token_id = text.pad_token_id
        if not self.tie_word_embeddings and text.tie_word_embeddings:
            self.tie_word_embeddings = True
        for name in ("expert_names", "expert_tasks", "lora_targets", "prompt_head_ids", "word_separator_ids"):
            setattr(self, name, list(getattr(self, name)))  # as they come back from a file
        count = len(self.expert_names)
        if count and not self.expert_tasks:
            if count > len(EXPERT_TASKS):
                raise ValueError(
                    f"expert_tasks: {count} experts and no tasks for them; say what each is asked"
                )
            self.expert_tasks = list(EXPERT_TASKS[:count])
        if count and not self.prompt_words:
            self.prompt_words = [[] for _ in self.expert_names]
        for name in ("expert_tasks", "prompt_words"):
            if count and len(getattr(self, name)) != count:
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} entries for {count} expert_names; give one for each"
                )
        for name in ("num_query_tokens", "finding_length", "lora_rank", "router_layers", "router_heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.prompt_length < 0 or self.words_told < 0:
            raise ValueError(
                f"prompt_length={self.prompt_length} and words_told={self.words_told} must not be negative"
            )
        if self.router not in ("instruction", "none"):
            raise ValueError(f"router={self.router!r} must be 'instruction' or 'none'")
        if self.vision_feature_select_strategy not in ("full", "default"):
            raise ValueError(
                f"vision_feature_select_strategy={self.vision_feature_select_strategy!r} must be 'full' or 'default'"
            )
        if count and self.router == "instruction" and text.hidden_size % self.router_heads:
            raise ValueError(
                f"router_heads={self.router_heads} must divide the decoder's hidden_size={text.hidden_size}"
            )

    @property
    def num_experts(self) -> int:
        """E; 0 is the single decoder of stage I."""
        return len(self.expert_names)

    @property
    def streams(self) -> int:
        """Rows of the decoder for each row of the batch: E, or 1 in stage I."""
        return max(self.num_experts, 1)

    @property
    def image_seq_length(self) -> int:
        """Tokens of the prompt that the picture takes: Q, and with experts P + E·F more."""
        if not self.num_experts:
            return self.num_query_tokens
        return self.num_query_tokens + self.prompt_length + self.num_experts * self.finding_length


__all__ = ["EXPERT_NAMES", "EXPERT_TASKS", "LORA_TARGETS", "RsMoeConfig"]
