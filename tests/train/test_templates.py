"""The loss is on the answer's tokens and its end, token by token, whatever the template; training reads what answering
reads."""

from pathlib import Path

import pytest
from tiny_base import LLAVA_TEMPLATE, llama_tokenizer
from transformers import CLIPImageProcessorPil

from skymoe.engine.prompting import Prompter
from skymoe.errors import UserError
from skymoe.models.skymoe import SkyMoeProcessor
from skymoe.models.skymoe.modeling_skymoe import IGNORED_LABEL
from skymoe.train.conversation import ConversationEncoder, pack
from skymoe.train.nano import build_processor
from skymoe.train.templates import TEMPLATES, set_template

ENDED = LLAVA_TEMPLATE.replace(
    "{% endfor %}{% if add",
    "{% if message['role'] == 'assistant' %}{{ '</s>' }}{% endif %}{% endfor %}{% if add",
)
ANSWERS = ("12", "yes", "two tanks stand in picture 3.", "{<12><30><45><60>}", "ünknown wörds 🛰")


def make(name: str) -> SkyMoeProcessor:
    if name == "nano":
        return build_processor(iter(["How many tanks are there?", *ANSWERS] * 3), vocabulary=512)
    tokenizer = llama_tokenizer(["<|im_start|>", "<|im_end|>"] if name == "chatml" else [])
    if name == "chatml":
        tokenizer.eos_token = "<|im_end|>"
    square = {"height": 28, "width": 28}
    processor = SkyMoeProcessor(
        CLIPImageProcessorPil(size=square, crop_size=square, do_center_crop=False), tokenizer, patch_size=14,
        vision_feature_select_strategy="default", chat_template=ENDED, num_additional_image_tokens=1,
    )  # fmt: skip
    set_template(processor, name if name in TEMPLATES else "own")
    return processor


@pytest.fixture(scope="module", params=["nano", "own", *TEMPLATES])
def processor(request: pytest.FixtureRequest) -> SkyMoeProcessor:
    return make(request.param)


def conversation(question: str, answer: str) -> list[dict]:
    return [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_token_of_the_answer_and_no_other_is_supervised(
    processor: SkyMoeProcessor, answer: str
) -> None:
    tokenizer = processor.tokenizer
    prefix, turn = ConversationEncoder(processor).encode(conversation("How many tanks are there?", answer))
    batch = pack([(prefix, [turn])], tokenizer.pad_token_id)
    ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
    supervised = [place for place, label in enumerate(labels) if label != IGNORED_LABEL]
    assert supervised == list(range(len(ids) - turn.answer_length, len(ids))), "the row's end, without a gap"
    assert all(labels[place] == ids[place] for place in supervised)
    said = [ids[place] for place in supervised]
    assert said[-1] == tokenizer.eos_token_id, "the model learns to stop"
    assert tokenizer.eos_token_id not in said[:-1]
    assert (
        tokenizer.decode(said[:-1]).strip()
        == tokenizer.decode(tokenizer(answer, add_special_tokens=False)["input_ids"]).strip()
    )
    asked = ids[: supervised[0]]
    assert answer not in tokenizer.decode(asked[asked.index(processor.image_token_id) :])


def test_training_reads_what_answering_reads(processor: SkyMoeProcessor) -> None:
    messages = conversation("How many tanks are there?", "12")
    prefix, turn = ConversationEncoder(processor).encode(messages)
    prompt = Prompter(processor, longest=10_000).prompt(messages[:1])
    assert prefix == list(prompt.prefix)
    assert turn.tokens[: -turn.answer_length] == list(prompt.question)
    begin = processor.tokenizer.bos_token_id
    assert prefix.count(begin) == (0 if begin is None else 1), "the begin token neither lacks nor comes twice"


def test_two_questions_on_a_picture_are_supervised_apart(processor: SkyMoeProcessor) -> None:
    encode = ConversationEncoder(processor).encode
    (prefix, first), (_, second) = (
        encode(conversation("How many tanks are there?", a)) for a in ("12", "yes")
    )
    row = pack([(prefix, [first, second])], 0)
    chosen = row["labels"][0] != IGNORED_LABEL
    wanted = first.tokens[-first.answer_length :] + second.tokens[-second.answer_length :]
    assert row["input_ids"][0][chosen].tolist() == wanted


def test_vicuna_is_written_as_the_field_writes_it() -> None:
    text = make("vicuna").apply_chat_template(conversation("What is this?", "a port"), tokenize=False)
    assert text == (
        "<s>A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
        "detailed, and polite answers to the user's questions. USER: <image>\nWhat is this? ASSISTANT: a port</s>"
    )


def test_a_template_without_an_end_is_refused() -> None:
    processor = make("own")
    processor.chat_template = LLAVA_TEMPLATE
    with pytest.raises(UserError, match=r"never learn to stop: say base\.template: vicuna"):
        ConversationEncoder(processor).encode(conversation("What is this?", "a port"))


def test_a_template_that_writes_the_question_otherwise_is_refused() -> None:
    processor = make("own")
    processor.chat_template = ENDED.replace("'ASSISTANT:'", "'ANSWER:'")
    with pytest.raises(UserError, match="would differ"):
        ConversationEncoder(processor).encode(conversation("What is this?", "a port"))


def test_only_one_picture_is_asked_about() -> None:
    messages = conversation("Is it like <image> this?", "yes")
    with pytest.raises(UserError, match="2 pictures"):
        ConversationEncoder(make("own")).encode(messages)


def test_templates_need_their_tokens(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="im_start"):
        set_template(make("own"), "chatml")
