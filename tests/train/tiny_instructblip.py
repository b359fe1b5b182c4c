"""An InstructBLIP and a Llama of a few thousand random weights, as the hub's files are."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny_base import PATCH, SIDE, llama_tokenizer
from transformers import (
    BlipImageProcessorPil,
    InstructBlipConfig,
    InstructBlipForConditionalGeneration,
    InstructBlipProcessor,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

TEXT = {
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.1,
}  # fmt: skip


def write_instructblip(folder: Path) -> Path:
    """Five queries, a Q-Former of two layers and 24 wide that reads a vocabulary of its own."""
    tokenizer = llama_tokenizer()
    config = InstructBlipConfig(
        vision_config={
            "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": SIDE, "patch_size": PATCH,
        },
        qformer_config={
            "vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 32, "encoder_hidden_size": 24, "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0, "max_position_embeddings": 512,
        },
        text_config={**TEXT, "vocab_size": len(tokenizer)},
        num_query_tokens=5,
    )  # fmt: skip
    torch.manual_seed(1)
    InstructBlipForConditionalGeneration(config).save_pretrained(folder)
    pictures = BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    reader = llama_tokenizer(["[DEC]"])
    InstructBlipProcessor(pictures, tokenizer, qformer_tokenizer=reader).save_pretrained(folder)
    return folder


def write_llama(folder: Path) -> Path:
    """A language model whose tokenizer has neither a place for pictures nor padding."""
    backend = llama_tokenizer().backend_tokenizer
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    torch.manual_seed(2)
    LlamaForCausalLM(
        LlamaConfig(
            **{**TEXT, "num_hidden_layers": 3}, vocab_size=len(tokenizer), bos_token_id=1, eos_token_id=2
        )
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
