"""How conversations are written for a model: one template for training and answering, kept with the model.

Field code trains with one template and evaluates with another; here the template is part of the processor that every
stage saves. nano's own stands in `vocabulary.py`.
"""

from __future__ import annotations

from typing import Any

from skymoe.errors import UserError

_VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)

TEMPLATES = {
    # Vicuna-1.5 as LLaVA-1.5 and GeoChat use it: the picture first, one space before the answer, </s> after it.
    "vicuna": (
        "{{ bos_token }}" + _VICUNA_SYSTEM + "{% for message in messages %}"
        "{% if message['role'] == 'user' %}{{ ' USER: ' }}"
        "{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>\\n' }}{% endfor %}"
        "{% else %}{{ ' ASSISTANT: ' }}{% endif %}"
        "{% if message['content'] is string %}{{ message['content'] }}"
        "{% else %}{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
        "{% endif %}"
        "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
    ),
    # ChatML, as Qwen's decoders use it; <|im_end|> must be the tokenizer's end token.
    "chatml": (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        "{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>\\n' }}{% endfor %}"
        "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}{% endif %}"
        "{{ '<|im_end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    ),
}


def set_template(processor: Any, name: str) -> None:
    """Give the processor that template ("own" leaves it as it is).

    Raises:
        UserError: the tokenizer lacks a token that the template needs, or there is no template at all.
    """
    tokenizer = processor.tokenizer
    if name == "own":
        if not processor.chat_template and not tokenizer.chat_template:
            raise UserError(
                f"the base has no chat template: say base.template, one of {', '.join(TEMPLATES)}"
            )
        return
    vocabulary = tokenizer.get_vocab()
    needed = [tokenizer.bos_token] if name == "vicuna" else ["<|im_start|>", "<|im_end|>"]
    for token in needed:
        if token not in vocabulary:
            raise UserError(
                f"base.template {name!r} needs {token or 'a begin token'}, which the base's tokenizer lacks: "
                "choose another template, or own"
            )
    processor.chat_template = TEMPLATES[name]
