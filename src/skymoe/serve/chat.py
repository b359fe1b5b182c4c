"""The chat protocol: what a request asks, and how replies are written. Nothing here knows a network or a model."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import time
import uuid
from dataclasses import dataclass
from typing import Any

from skymoe.answer import Answer
from skymoe.serve.body import read_object
from skymoe.serve.errors import ChatError, shown
from skymoe.tasks import Query, get_task, read_request
from skymoe.tasks.questions import SUFFIX

MOST_LETTERS = 20_000
"""Characters of a question, with all blanks. The model reads them before it answers, and others wait meanwhile."""
# What would change the answer if it were obeyed; ignoring it in silence would be a lie. (name, what is allowed)
_REFUSED: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("n", (None, 1)),
    ("tools", (None, [])),
    ("functions", (None, [])),
    ("logprobs", (None, False)),
    ("response_format", (None, {"type": "text"})),
)


@dataclass(frozen=True, slots=True)
class Chat:
    """One question on one picture (the bytes of its file); `explain`, beside the protocol: with reports of experts."""

    question: str
    picture: bytes
    stream: bool = False
    explain: bool = False

    @property
    def query(self) -> Query | None:
        """The query that has these words on the command line: it gets a typed answer, as there. None: own words."""
        query = read_request(self.question)
        if query.task == "vqa":  # how to answer is no part of what is asked
            asked = self.question.removesuffix(SUFFIX).rstrip()
            query = dataclasses.replace(query, subject=asked)
        return query if get_task(query.task).prompt(query) == self.question else None


def read_chat(raw: bytes, served: str) -> Chat:
    """The question of a request: the text of the last message, and the last picture up to there.

    The model answers each question by itself, so earlier turns and system messages are not read.

    Raises:
        ChatError: it is no chat request, asks for another model than `served`, or for what cannot be done.
    """
    body = read_object(raw)
    if body.get("model") not in (None, served):
        raise ChatError(
            f"the model {shown(body['model'])} is not served here; ask for {served!r}",
            404,
            "model",
            "model_not_found",
        )
    for name, allowed in _REFUSED:
        if body.get(name) not in allowed:
            raise ChatError(f"{name} is not supported: leave it out", param=name)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise ChatError("messages must be a list with at least one message", param="messages")
    if messages[-1].get("role") != "user":
        raise ChatError("the last message must be the user's", param="messages")
    question = _question(messages[-1])
    for message in reversed(messages):
        if addresses := _pictures(message):
            if len(addresses) > 1:
                raise ChatError(
                    f"one question is about one picture, not {len(addresses)}: send one request for each",
                    param="messages",
                )
            stream, explain = body.get("stream") is True, body.get("explain") is True
            if stream and explain:
                raise ChatError("an explanation comes with a whole reply: leave stream out", param="explain")
            return Chat(question, _decoded(addresses[0]), stream, explain)
    raise ChatError("there is no picture: give one as a part of type image_url", param="messages")


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ChatError("a message's content must be a text or a list of parts", param="messages")
    return content


def _question(message: dict[str, Any]) -> str:
    texts: list[Any] = [part.get("text") for part in _parts(message) if part.get("type") == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise ChatError("a part of type text must have a text", param="messages")
    # Before it is divided into words: those of 60 MB would take two gigabytes.
    if (letters := sum(map(len, texts))) > MOST_LETTERS:
        length = f"{letters:,} characters"
        raise ChatError(f"the question has {length}, at most {MOST_LETTERS:,} are read", param="messages")
    question = " ".join(word for text in texts for word in text.split())
    if not question:
        raise ChatError("the last message asks nothing: give it a text", param="messages")
    if not question.isascii() and any("\ud800" <= letter <= "\udfff" for letter in question):
        raise ChatError("the question has half of a character (a surrogate by itself)", param="messages")
    return question


def _pictures(message: dict[str, Any]) -> list[Any]:
    if message.get("role") != "user":
        return []
    found = [part.get("image_url") for part in _parts(message) if part.get("type") == "image_url"]
    return [one.get("url") if isinstance(one, dict) else one for one in found]


def _decoded(address: Any) -> bytes:
    """The picture in a data URI. Nothing is ever fetched: a server that fetched what strangers name would be theirs."""
    head, comma, data = address.partition(",") if isinstance(address, str) else ("", "", "")
    # Kind and parameters (";charset=x") say nothing that the picture's own first bytes do not say better.
    if not (comma and head[:5].lower() == "data:" and head.rstrip()[-7:].lower() == ";base64"):
        raise ChatError(
            "image_url must be a data URI (data:image/png;base64,…): nothing is fetched from addresses",
            param="messages",
        )
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ChatError("image_url: the base64 data are damaged", param="messages") from None


class Reply:
    """The replies to one request, as JSON objects; `id` and time are the same in all of them."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.id, self.created = f"chatcmpl-{uuid.uuid4().hex[:24]}", int(time.time())

    def whole(self, answer: Answer) -> dict[str, Any]:
        """A chat completion. `answer`, beside the protocol, is what the text means: number, label, boxes in pixels,
        and where asked for what each expert was told and found."""
        message = {"role": "assistant", "content": answer.text, "answer": answer.to_dict()}
        return self._reply("chat.completion", {"message": message, "finish_reason": "stop"})

    def piece(self, text: str | None, *, first: bool = False) -> dict[str, Any]:
        """A part of a streamed answer; None ends it."""
        delta = ({"role": "assistant"} if first else {}) | ({} if text is None else {"content": text})
        return self._reply(
            "chat.completion.chunk", {"delta": delta, "finish_reason": "stop" if text is None else None}
        )

    def _reply(self, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.id, "object": kind, "created": self.created, "model": self.model,
            "choices": [{"index": 0, **choice}],
        }  # fmt: skip
