"""Models behind an address: anything that speaks the OpenAI chat protocol (vLLM, llama.cpp, hosted models).

The standard library is enough: one kind of request, JSON in and out. Answers are asked with temperature 0; that a
server repeats itself is its own affair, and what was answered once is kept.
"""

from __future__ import annotations

import base64
import io
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import Any, NoReturn
from urllib.parse import urlsplit

from PIL import Image

from skymoe.answer import Answer
from skymoe.errors import UserError
from skymoe.evaluation.engines.asking import Asking
from skymoe.evaluation.predictions import EngineLost
from skymoe.tasks import Query

KEY, OPENAI_KEY, OPENAI_HOST = "SKYMOE_API_KEY", "OPENAI_API_KEY", "api.openai.com"
LARGEST_PNG = 8 * 2**20
"""Pictures that are larger as PNG are sent as JPEG (quality 95): servers refuse larger requests."""
_AGAIN = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 529))
_REFUSED = ("content_filter", "content_policy", "moderation", "responsible_ai")
_UNKNOWN = ("max_tokens", "temperature")
"""Fields that newer hosted models refuse; then the other name is used, or none."""
_LONGEST_WAIT = 60.0
_LARGEST_REPLY = 2**24


@dataclass(frozen=True)
class Address:
    """Base URL (with `/v1` where the server has it) and the model's name there."""

    base: str
    model: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """``https://host/v1#model``; without ``#model`` the server is asked what it serves."""
        base, _, model = text.partition("#")
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"{text!r} is no address: give http(s)://HOST/v1#MODEL")
        if parts.username or parts.password:
            raise UserError(f"the address of {parts.hostname} holds a password: give the key in {KEY}")
        if parts.query:
            raise UserError(
                f"{text!r}: an address with a query is not supported, give http(s)://HOST/v1#MODEL"
            )
        return cls(base.rstrip("/").removesuffix("/chat/completions"), model)

    @property
    def host(self) -> str:
        return urlsplit(self.base).hostname or ""


def find_key(address: Address, variable: str | None = None) -> str | None:
    """The key from the environment: ``variable``, else SKYMOE_API_KEY; OPENAI_API_KEY goes to OpenAI alone.

    Raises UserError where a variable is named and not set.
    """
    if variable is not None:
        if not os.environ.get(variable):
            raise UserError(
                f"the environment variable {variable!r} is not set: put the key of {address.host} there"
            )
        return os.environ[variable]
    openai = os.environ.get(OPENAI_KEY) if address.host == OPENAI_HOST else None
    return os.environ.get(KEY) or openai or None


class EndpointEngine:
    """Asks ``concurrency`` questions at once; answers come back in the order of the questions.

    A question that fails for now (no connection, 429, 5xx) is asked again, ``attempts`` times in all, with growing
    waits or those that the server names. One that the server refuses for what it shows or says gets an empty answer,
    which counts as wrong. Anything else ends the run with :class:`EngineLost`; what was answered is kept.
    """

    typed = False

    def __init__(
        self,
        address: Address,
        *,
        key: str | None = None,
        asking: Asking | None = None,
        concurrency: int = 8,
        attempts: int = 6,
        timeout: float = 180.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.asking = asking or Asking()
        self.concurrency, self.attempts, self.timeout, self.wait = concurrency, attempts, timeout, wait
        self._headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {key}"} if key else {}
        )
        self._limit, self._sampling = "max_tokens", {"temperature": 0}
        self._open = urllib.request.build_opener(_NoRedirect).open
        self.address = address
        if not address.model:
            self.address = Address(address.base, self._only_model())

    @property
    def name(self) -> str:
        return self.address.model

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the answers, as far as anybody but the server can know."""
        return {**self.asking.settings(), "address": self.address.base, "served": self.address.model}

    def question(self, query: Query) -> str:
        return self.asking.question(query)

    def answer(
        self,
        images: Sequence[Any],
        queries: Sequence[Query],
        *,
        constrained: bool = False,
        num_beams: int = 1,
    ) -> list[Answer]:
        """Answers to queries, pairwise with pictures; ``constrained`` and ``num_beams`` have no meaning here."""
        encoded = {key: data_uri(image) for key, image in {id(image): image for image in images}.items()}
        pool = ThreadPoolExecutor(self.concurrency)
        try:
            asked = [
                pool.submit(self._ask, encoded[id(image)], query)
                for image, query in zip(images, queries, strict=True)
            ]
            texts = [one.result() for one in asked]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [
            self.asking.read(query, text, image)
            for image, query, text in zip(images, queries, texts, strict=True)
        ]

    def _ask(self, picture: str, query: Query) -> str:
        content = [
            {"type": "image_url", "image_url": {"url": picture}},
            {"type": "text", "text": self.question(query)},
        ]
        turn = {"model": self.address.model, "messages": [{"role": "user", "content": content}]}
        for _ in range(len(_UNKNOWN) + 1):
            body = {**turn, self._limit: self.asking.longest(query)} | self._sampling
            try:
                return _text(self._request("chat/completions", body), self.address.base)
            except _RefusedError:
                return ""
            except _OtherFormError:
                continue
        raise EngineLost(
            f"{self.address.base}: {self.address.model} takes neither of the ways to limit an answer"
        )

    def _only_model(self) -> str:
        served = self._request("models", None).get("data")
        names = [
            one["id"] for one in served or () if isinstance(one, dict) and isinstance(one.get("id"), str)
        ]
        if len(names) != 1:
            known = ", ".join(names[:8]) + (", …" if len(names) > 8 else "") or "none"
            base = self.address.base
            raise UserError(f"{base} serves several models or none ({known}): give {base}#MODEL")
        return names[0]

    def _request(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """The JSON object that the server replies; asked again while it fails for now."""
        url = f"{self.address.base}/{path}"
        data = None if body is None else json.dumps(body).encode()
        reason, pause = "", 0.0
        for attempt in range(self.attempts):
            if attempt:
                self.wait(pause)
            pause = min(_LONGEST_WAIT, 2.0**attempt)
            try:
                request = urllib.request.Request(url, data=data, headers=self._headers)
                with self._open(request, timeout=self.timeout) as reply:
                    found = json.loads(reply.read(_LARGEST_REPLY))
            except urllib.error.HTTPError as error:
                said = _short(error.read(4096).decode("utf-8", "replace"))
                reason = f"HTTP {error.code} {said}"
                if error.code not in _AGAIN:
                    self._judge(
                        error.code, said.lower(), body or {}, f"{url}: {reason}; {_remedy(error.code)}"
                    )
                pause = _asked_wait(error.headers, pause)
            except (
                OSError,
                ValueError,
                HTTPException,
            ) as error:  # no connection, a time-out, a reply cut off
                reason = _short(getattr(error, "reason", None) or error) or type(error).__name__
            else:
                if isinstance(found, dict):
                    return found
                raise EngineLost(f"{url} answered {_short(found)}, not a JSON object")
        raise EngineLost(
            f"{url}: {self.attempts} attempts failed, the last with: {reason}; the same command continues later"
        )

    def _judge(self, code: int, said: str, body: dict[str, Any], message: str) -> NoReturn:
        """What an error that will not pass means: another form is wanted, this question is refused, or all is lost."""
        if code == 400:
            # By what was sent, not by what is known now: other questions are under way at the same time.
            if "max_completion_tokens" in said and "max_tokens" in body:
                self._limit = "max_completion_tokens"
                raise _OtherFormError from None
            if "temperature" in said and "temperature" in body:
                self._sampling = {}
                raise _OtherFormError from None
        if code in (400, 403, 422) and any(word in said for word in _REFUSED):
            raise _RefusedError from None
        raise EngineLost(message) from None


def _text(reply: dict[str, Any], base: str) -> str:
    """The answer in a chat completion."""
    try:
        text = reply["choices"][0]["message"].get("content")
        if isinstance(text, list):  # some servers answer in parts
            text = "".join(part.get("text") or "" for part in text)
        if not isinstance(text, str | None):
            raise TypeError
    except (KeyError, IndexError, TypeError, AttributeError):
        raise EngineLost(f"{base} answered {_short(reply)}, which is no chat completion") from None
    return (text or "").strip()


class _RefusedError(Exception):
    """The server does not answer this very question."""


class _OtherFormError(Exception):
    """The server wants the same request in another form, which is now known."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected request would take the key to another server, and lose its body."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


def data_uri(picture: Image.Image) -> str:
    """The picture as it is sent: PNG, which loses nothing, unless that is too large."""
    buffer, kind = io.BytesIO(), "png"
    picture.save(buffer, "PNG")
    if buffer.tell() > LARGEST_PNG:
        buffer, kind = io.BytesIO(), "jpeg"
        picture.save(buffer, "JPEG", quality=95)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _asked_wait(headers: Message, otherwise: float) -> float:
    try:
        return min(_LONGEST_WAIT, max(0.0, float(headers.get("Retry-After", ""))))
    except ValueError:
        return otherwise


def _remedy(code: int) -> str:
    if code in (401, 403):
        return f"put the key into {KEY}, or name its variable with --key"
    if 300 <= code < 400:
        return "the address is another one, give that"
    return (
        "is the address right, up to its /v1, and the model's name?"
        if code == 404
        else "mend that and run it again"
    )


def _short(value: Any) -> str:
    return " ".join(str(value).split())[:200]
