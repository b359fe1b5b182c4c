"""Packed questions answer as if each stood alone, and the loss is on the answers only."""

import pytest
import torch
from transformers import LlamaConfig

from skymoe.models.efficientnet_lite import EfficientNetLiteConfig
from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration, SkyMoeProcessor
from skymoe.train.conversation import ConversationEncoder, Turn, pack
from skymoe.train.nano import build_processor

TEXTS = [
    "How many storage tanks are there?",
    "a river with many green trees on both sides",
    "yes",
    "no",
    "12",
] * 3


@pytest.fixture(scope="module")
def processor() -> SkyMoeProcessor:
    return build_processor(iter(TEXTS), vocabulary=512)


def conversation(question: str, answer: str) -> list[dict]:
    return [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]


@pytest.mark.parametrize("answer", ["12", "a river with trees", "{<0><12><99><100>}"])
def test_supervised_tokens_are_the_answer_and_its_end(processor: SkyMoeProcessor, answer: str) -> None:
    prefix, turn = ConversationEncoder(processor).encode(conversation("How many tanks?", answer))
    decode = processor.tokenizer.decode
    assert decode(turn.tokens[-turn.answer_length :]) == f"{answer}</s>"
    assert decode(turn.tokens[: -turn.answer_length]) == "<|user|>how many tanks?<|assistant|>"
    assert prefix == [processor.tokenizer.bos_token_id] + [processor.image_token_id] * 50, (
        "49 cells and the summary"
    )


def test_the_processor_makes_the_same_tokens_for_answering(processor: SkyMoeProcessor) -> None:
    from PIL import Image

    messages = conversation("How many tanks?", "12")
    text = processor.apply_chat_template(messages[:1], add_generation_prompt=True, tokenize=False)
    asked = processor(images=Image.new("RGB", (50, 80)), text=text, add_special_tokens=False)["input_ids"][0]
    prefix, turn = ConversationEncoder(processor).encode(messages)
    assert list(asked) == prefix + turn.tokens[: -turn.answer_length]


def test_packed_equals_separate(processor: SkyMoeProcessor) -> None:
    torch.manual_seed(0)
    text = LlamaConfig(
        vocab_size=len(processor.tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=2, tie_word_embeddings=True,
    )  # fmt: skip
    config = SkyMoeConfig(
        vision_config=EfficientNetLiteConfig(summary_token=True).to_dict(),
        text_config=text.to_dict(), vision_feature_layer=-1,
        vision_feature_select_strategy="full", image_token_index=processor.image_token_id, num_experts=4,
        router_aux_loss_coef=0.0,
    )  # fmt: skip
    model = SkyMoeForConditionalGeneration(config).eval()
    pixels = torch.randn(2, 3, 224, 224)
    encode = ConversationEncoder(processor).encode
    first = [
        encode(conversation(q, a))
        for q, a in (("tanks?", "12"), ("What is this?", "a river"), ("any?", "no"))
    ]
    second = [encode(conversation("How many storage tanks are there here?", "yes"))]
    prefix = first[0][0]
    batch = pack([(prefix, [turn for _, turn in first]), (prefix, [turn for _, turn in second])], pad_id=0)
    with torch.inference_mode():
        packed = model(pixel_values=pixels, **batch)
        place = len(prefix)
        for _, turn in first:
            alone = pack([(prefix, [turn])], pad_id=0)
            logits = model(pixel_values=pixels[:1], **alone).logits[0, len(prefix) :]
            torch.testing.assert_close(
                packed.logits[0, place : place + len(turn.tokens)], logits, atol=1e-4, rtol=0
            )
            place += len(turn.tokens)
        both = [model(pixel_values=pixels[:1], **pack([(prefix, [turn])], pad_id=0)) for _, turn in first]
        both += [model(pixel_values=pixels[1:], **pack([(prefix, [turn])], pad_id=0)) for _, turn in second]
        lengths = [turn.answer_length for _, turn in first + second]
        mean = sum(out.loss * n for out, n in zip(both, lengths, strict=True)) / sum(lengths)
        torch.testing.assert_close(packed.loss, mean)


def test_padding_is_marked() -> None:
    batch = pack([([1, 9], [Turn([5, 6], 1)]), ([1, 9], [Turn([5, 6], 1), Turn([7, 8, 2], 2)])], pad_id=0)
    assert batch["token_mask"].sum(dim=1).tolist() == [4, 7]
    assert batch["labels"][0].tolist() == [-100, -100, -100, 6, -100, -100, -100]
    assert batch["position_ids"][1].tolist() == [0, 1, 2, 3, 2, 3, 4]
    assert batch["attention_mask"].any(dim=-1).all(), "no row may be empty, or its softmax is undefined"
