"""What the stages of an RS-MoE begin with: a base's tower and decoder with a new Q-Former between them, or experts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    InstructBlipForConditionalGeneration,
    InstructBlipQFormerConfig,
)

from skymoe.errors import UserError
from skymoe.models.rsmoe import RsMoeConfig, RsMoeForConditionalGeneration, RsMoeProcessor
from skymoe.models.skymoe import SkyMoeConfig
from skymoe.models.whole_weights import read_config, read_model, read_processor

from ..basing import base_config, open_base
from ..checkpoints import save_whole
from ..recipe import Base
from ..recipe_rsmoe import Resampler
from ..templates import set_template

log = logging.getLogger(__name__)
IMAGE_TOKEN = "<image>"


@dataclass(frozen=True)
class Parts:
    """What an RS-MoE without experts is made of; `qformer` and `queries` of a base that brings them."""

    tower: nn.Module
    decoder: nn.Module
    head: nn.Module
    config: dict[str, Any]  # vision_config, text_config and how features are taken
    image_processor: Any
    tokenizer: Any
    chat_template: str | None
    qformer: nn.Module | None = None
    queries: torch.Tensor | None = None


def is_rsmoe(model: str | None) -> bool:
    """Whether this folder or hub id is an RS-MoE already."""
    return model is not None and read_config(model).model_type == RsMoeConfig.model_type


def open_rsmoe_base(base: Base, output: Path) -> str:
    """The checkpoint an RS-MoE's first stage begins with: an RS-MoE, a SkyMoE or LLaVA, or an InstructBLIP.

    Raises:
        UserError: there is no such checkpoint, or its decoder has experts inside.
    """
    if base.model != "nano" and base_config(base.model).model_type in (
        RsMoeConfig.model_type,
        "instructblip",
    ):
        return base.model
    model, _ = open_base(base, output)
    if getattr(read_config(model), "num_experts", 0):
        raise UserError(
            f"base.model: the decoder of {base.model} has experts inside; give the dense model it came from"
        )
    return model


def assemble(model: str, base: Base | None, resampler: Resampler, out: Path, seed: int) -> None:
    """Write the RS-MoE without experts that stage I begins with: tower and decoder as they are in `model` (or the
    decoder of `base.decoder`), the Q-Former new from `seed` unless `model` brings one.

    Raises:
        UserError: the decoder is none, or its tokenizer lacks what the template needs.
    """
    parts = _parts(model, base)
    text = parts.config["text_config"]
    width = resampler.width or text["hidden_size"]
    if parts.qformer is not None:
        given: Any = parts.qformer.config
        qformer = dict(given.to_dict())
        queries = parts.queries.shape[1] if parts.queries is not None else resampler.queries
    else:
        qformer = InstructBlipQFormerConfig(
            hidden_size=width,
            num_hidden_layers=resampler.layers,
            num_attention_heads=resampler.head_count(width),
            intermediate_size=2 * width,
            cross_attention_frequency=1,
            hidden_dropout_prob=resampler.dropout,
            attention_probs_dropout_prob=resampler.dropout,
        ).to_dict()
        queries = resampler.queries
    config = RsMoeConfig(
        qformer_config=qformer,
        num_query_tokens=queries,
        feature_width=None if parts.qformer is not None else resampler.feature_width,
        image_token_index=parts.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        tie_word_embeddings=bool(text.get("tie_word_embeddings")),
        **parts.config,
    )
    processor = RsMoeProcessor(
        parts.image_processor,
        parts.tokenizer,
        patch_size=getattr(config.vision_config, "patch_size", None),
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        chat_template=parts.chat_template,
        image_token=IMAGE_TOKEN,
        image_tokens=queries,
    )
    if base is not None:
        set_template(processor, base.template)
    torch.manual_seed(seed)
    made = RsMoeForConditionalGeneration(config)
    made.model.vision_tower.load_state_dict(parts.tower.state_dict())
    made.model.language_model.decoder.load_state_dict(parts.decoder.state_dict())
    made.lm_head.load_state_dict(parts.head.state_dict())
    made.tie_weights()
    _start_qformer(made, parts)

    def write(folder: Path) -> None:
        made.save_pretrained(folder)
        processor.save_pretrained(folder)

    save_whole(out, write)


def _start_qformer(made: RsMoeForConditionalGeneration, parts: Parts) -> None:
    """Its weights where the base has them; the words it reads are the decoder's, and begin as the decoder knows them
    where both are of one width."""
    if parts.qformer is not None:
        known = {k: v for k, v in parts.qformer.state_dict().items() if "word_embeddings" not in k}
        missing = made.model.qformer.load_state_dict(known, strict=False)
        assert not missing.unexpected_keys, missing.unexpected_keys
        if parts.queries is not None:
            made.model.query_tokens.data.copy_(parts.queries)
    words = made.model.qformer.embeddings.word_embeddings.weight
    if words.shape == made.get_input_embeddings().weight.shape:
        with torch.no_grad():
            words.copy_(made.get_input_embeddings().weight)


def _parts(model: str, base: Base | None) -> Parts:
    config = read_config(model)
    if config.model_type == "instructblip":
        whole: Any = read_model(InstructBlipForConditionalGeneration, model, dtype=torch.float32)
        given = read_processor(model)
        causal, tokenizer = whole.language_model, given.tokenizer
        made: dict[str, Any] = {
            "tower": whole.vision_model,
            "qformer": whole.qformer,
            "queries": whole.query_tokens,
        }
        features = {"vision_config": config.vision_config.to_dict()}
        template = None
    else:
        if config.model_type != SkyMoeConfig.model_type:
            raise UserError(
                f"{model} is a {config.model_type} without a decoder: put a stage of kind 'dense' before the encoder"
            )
        whole = read_model(AutoModelForImageTextToText, model, dtype=torch.float32)
        given = read_processor(model)
        causal, tokenizer, template = None, given.tokenizer, given.chat_template
        made = {"tower": whole.model.vision_tower}
        layer = config.vision_feature_layer
        features = {
            "vision_config": config.vision_config.to_dict(),
            "vision_feature_layer": None if layer == -1 else layer,
            "vision_feature_select_strategy": config.vision_feature_select_strategy,
        }
    if base is not None and base.decoder is not None:
        causal, tokenizer = _decoder(base.decoder)
        template = tokenizer.chat_template
    if causal is not None and causal.config.is_encoder_decoder:
        raise UserError(
            f"base.decoder: {model} has a {causal.config.model_type}, which is no decoder alone; name another"
        )
    if causal is None:
        made |= {"decoder": whole.model.language_model, "head": whole.lm_head}
        text = config.text_config
    else:
        _complete(tokenizer, causal)
        made |= {"decoder": causal.get_decoder(), "head": causal.get_output_embeddings()}
        text = causal.config
    told = {
        **text.to_dict(),
        "vocab_size": made["head"].weight.shape[0],
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    return Parts(
        config={**features, "text_config": told},
        image_processor=given.image_processor,
        tokenizer=tokenizer,
        chat_template=template,
        **made,
    )


def _decoder(name: str) -> tuple[Any, Any]:
    base_config(name, "base.decoder")
    try:
        model = read_model(AutoModelForCausalLM, name, dtype=torch.float32)
        return model, read_processor(name, AutoTokenizer)
    except UserError as error:
        raise UserError(f"base.decoder: {error}") from error
    except (ValueError, KeyError, OSError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"base.decoder: {name!r} is no language model with a tokenizer ({reason})") from error


def _complete(tokenizer: Any, causal: Any) -> None:
    """A language model's vocabulary with what a picture needs: its place, and padding."""
    vocabulary = tokenizer.get_vocab()
    new = [IMAGE_TOKEN] if IMAGE_TOKEN not in vocabulary else []
    if tokenizer.pad_token is None:
        spare = next((token for token in ("<|finetune_right_pad_id|>", "<unk>") if token in vocabulary), None)
        if spare is None:
            new.append("<pad>")
        tokenizer.pad_token = spare or "<pad>"
    if new:
        tokenizer.add_special_tokens({"additional_special_tokens": new}, replace_extra_special_tokens=False)
    if len(tokenizer) > causal.get_input_embeddings().weight.shape[0]:
        causal.resize_token_embeddings(len(tokenizer), pad_to_multiple_of=64)
