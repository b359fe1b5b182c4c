"""An RS-MoE behind the chat API: the same server, and its experts' reports for those who ask for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.tiny_model import end_often
from engine.tiny_rsmoe import build
from serve.test_serve import COUNT, PICTURE, send, uri, user
from skymoe.engine.answering import SkyMoe
from skymoe.serve.server import Server


@pytest.fixture(scope="module")
def model() -> SkyMoe:
    tiny, processor = build()
    end_often(tiny)
    return SkyMoe(tiny, processor, "tiny")


def ask(server: Server, question: str, **fields: Any) -> tuple[int, Any]:
    code, text = send(f"{server.address}/chat/completions", {"messages": [user(question, uri())], **fields})
    return code, json.loads(text)


def test_reports_come_when_they_are_asked_for(server: Server, model: SkyMoe) -> None:
    expected = model.ask(PICTURE, "what do you see?", explain=True).to_dict()
    _, reply = ask(server, "what do you see?", explain=True)
    assert reply["choices"][0]["message"]["answer"] == expected
    assert len(expected["explanation"]) == 3
    _, reply = ask(server, "what do you see?")
    del expected["explanation"]
    assert reply["choices"][0]["message"]["answer"] == expected


def test_a_task_it_was_not_made_for_is_asked_in_words(server: Server, model: SkyMoe) -> None:
    code, reply = ask(server, COUNT)
    assert (code, reply["choices"][0]["message"]["content"]) == (200, model.ask(PICTURE, COUNT).text)


def test_a_stream_explains_nothing(server: Server) -> None:
    code, reply = ask(server, "what do you see?", explain=True, stream=True)
    assert code == 400
    assert "leave stream out" in reply["error"]["message"]
