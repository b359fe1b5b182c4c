"""Messages to tokens: the part up to the picture, the question after it, and the answers that could follow.

Users' words are never markup: a special token spelt out in a question is broken up before the chat template sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from skymoe.errors import UserError

Messages = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Prompt:
    """``prefix``: all tokens up to the picture's last visual token; ``question``: the rest, up to the answer;
    ``text``: the conversation as the chat template wrote it."""

    prefix: tuple[int, ...]
    question: tuple[int, ...]
    text: str = field(default="", compare=False)

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.prefix + self.question


class Prompter:
    """Renders messages through the processor's own chat template, the one the model was trained with."""

    def __init__(self, processor: Any, longest: int) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.image_id: int = processor.image_token_id
        self.longest = longest
        self.visual_tokens = _visual_tokens(processor)
        special = {str(token) for token in self.tokenizer.all_special_tokens} | {str(processor.image_token)}
        self._special = sorted((token for token in special if len(token) > 1), key=len, reverse=True)
        self.special_ids = frozenset(self.tokenizer.all_special_ids) | {self.image_id}

    def plain(self, text: str) -> str:
        """``text`` with every special token in it broken up ("<image>" → "< image>") and unpaired surrogates replaced.

        Anything else stays as it is, so that an ordinary question becomes the same tokens as without this.
        """
        text = text.encode("utf-8", "replace").decode("utf-8")
        while found := [token for token in self._special if token in text]:
            for token in found:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def prompt(self, messages: Messages) -> Prompt:
        """Tokens of a conversation that the model answers next.

        Raises:
            UserError: where the question is longer than the model can read, or the template leaves out the picture.
        """
        text = self._text(self._cleaned(messages), add_generation_prompt=True)
        tokens = self._tokens(text)
        if self.image_id not in tokens:
            raise UserError(
                f"the model's chat template writes no {self.processor.image_token} for the picture: mend its "
                "chat_template.jinja"
            )
        cut = len(tokens) - tokens[::-1].index(self.image_id)
        prompt = Prompt(self._expanded(tokens[:cut]), tuple(tokens[cut:]), text)
        if len(prompt.tokens) > self.longest:
            room = self.longest - len(prompt.prefix)
            raise UserError(
                f"the question has {len(prompt.question)} tokens, the model reads {room}: shorten it"
            )
        return prompt

    def answers(self, messages: Messages, texts: tuple[str, ...], stop: int) -> list[tuple[int, ...]]:
        """For each text the tokens the model would have to say, the end token ``stop`` included.

        Raises:
            UserError: where the template writes the question otherwise when an answer follows.
        """
        cleaned = self._cleaned(messages)
        asked = self._tokens(self._text(cleaned, add_generation_prompt=True))
        found = []
        for text in texts:
            turn = {"role": "assistant", "content": [{"type": "text", "text": self.plain(text)}]}
            full = self._tokens(self._text([*cleaned, turn], add_generation_prompt=False))
            if full[: len(asked)] != asked:
                raise UserError(
                    "the model's chat template writes a question otherwise when an answer follows it: mend its "
                    "chat_template.jinja, or ask freely"
                )
            said = full[len(asked) :]
            said = said[: said.index(stop)] if stop in said else said
            found.append((*said, stop))
        return found

    def _cleaned(self, messages: Messages) -> Messages:
        def part(content: dict[str, Any]) -> dict[str, Any]:
            return {**content, "text": self.plain(content["text"])} if content["type"] == "text" else content

        return [
            {**message, "content": [part(content) for content in message["content"]]} for message in messages
        ]

    def _text(self, messages: Messages, **options: Any) -> str:
        return self.processor.apply_chat_template(messages, tokenize=False, **options)

    def _tokens(self, text: str) -> list[int]:
        # Some templates write the begin token themselves; it must not come twice.
        begin = self.tokenizer.bos_token
        written = bool(begin) and text.startswith(begin)
        return self.tokenizer(text, add_special_tokens=not written)["input_ids"]

    def _expanded(self, tokens: list[int]) -> tuple[int, ...]:
        return tuple(
            t for token in tokens for t in [token] * (self.visual_tokens if token == self.image_id else 1)
        )


def _visual_tokens(processor: Any) -> int:
    """Tokens that one picture takes. Processors that are not ours only show it by using it."""
    if hasattr(processor, "image_seq_length"):
        return processor.image_seq_length
    ids = processor(images=Image.new("RGB", (32, 32)), text=processor.image_token)["input_ids"][0]
    return list(ids).count(processor.image_token_id)
