"""A real server with a tiny model, asked over HTTP as clients do."""

from __future__ import annotations

import base64
import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from engine.tiny_model import build, end_often
from skymoe.engine.answering import SkyMoe
from skymoe.evaluation.engines.endpoint import Address, EndpointEngine
from skymoe.serve.chat import read_chat
from skymoe.serve.server import LARGEST_REQUEST, Server
from skymoe.tasks import Query, get_task

COUNT = "How many storage tanks are there in this image? Answer with a number."
PICTURE = Image.frombytes("RGB", (8, 8), bytes(range(192))).resize((60, 40))
Ask = Callable[..., tuple[int, Any]]


def uri(picture: Image.Image = PICTURE) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def user(text: str | None, *pictures: str) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": one}} for one in pictures]
    return {"role": "user", "content": parts + ([{"type": "text", "text": text}] if text is not None else [])}


@pytest.fixture(scope="module")
def model() -> SkyMoe:
    tiny, processor = build()
    end_often(tiny)
    return SkyMoe(tiny, processor)


def send(url: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture
def ask(server: Server) -> Ask:
    def ask(*messages: dict[str, Any], **fields: Any) -> tuple[int, Any]:
        code, text = send(f"{server.address}/chat/completions", {"messages": list(messages), **fields})
        return code, json.loads(text)

    return ask


def test_it_says_what_it_serves(server: Server) -> None:
    code, text = send(f"{server.address}/models")
    assert (code, [one["id"] for one in json.loads(text)["data"]]) == (200, ["tiny"])
    assert send(server.address.removesuffix("/v1") + "/health") == (200, b'{"status": "ok"}')


def test_the_typed_commands_words_get_typed_answers(ask: Ask, model: SkyMoe) -> None:
    code, reply = ask(user(COUNT, uri()), model="tiny", temperature=0)
    expected = model.count(PICTURE, "storage tank")
    choice = reply["choices"][0]
    assert (code, reply["object"], choice["finish_reason"]) == (200, "chat.completion", "stop")
    assert choice["message"]["content"] == expected.text
    assert choice["message"]["answer"]["number"] == expected.number


@pytest.mark.parametrize("task", ["caption", "classify", "ground", "count", "vqa"])
def test_every_task_asked_as_eval_asks_it_is_answered_as_eval_answers_it(
    server: Server, model: SkyMoe, task: str
) -> None:
    """The project's own client of such servers, and the engine itself."""
    subject = {"ground": "the largest storage tank", "count": "ship", "vqa": "Is there a river?"}.get(task)
    query = Query(task, subject)
    client = EndpointEngine(Address.parse(server.address))
    assert client.name == "tiny"
    said = client.answer([PICTURE], [query])[0]
    assert said.text == model.answer(PICTURE, query)[0].text
    assert get_task(task).prompt(query) == client.question(query)


def test_own_words_get_what_ask_says(ask: Ask, model: SkyMoe) -> None:
    _, reply = ask(user("what do you see", uri()))
    assert reply["choices"][0]["message"]["content"] == model.ask(PICTURE, "what do you see").text


@pytest.mark.parametrize("question", ["what do you see", COUNT])
def test_streamed_pieces_make_the_whole(server: Server, ask: Ask, question: str) -> None:
    code, text = send(
        f"{server.address}/chat/completions", {"messages": [user(question, uri())], "stream": True}
    )
    *events, end, empty = text.decode().split("\n\n")
    assert (code, end, empty) == (200, "data: [DONE]", "")
    choices = [json.loads(event.removeprefix("data: "))["choices"][0] for event in events]
    assert choices[0]["delta"]["role"] == "assistant"
    assert [one["finish_reason"] for one in choices] == [None] * (len(choices) - 1) + ["stop"]
    said = "".join(one["delta"].get("content", "") for one in choices)
    assert said == ask(user(question, uri()))[1]["choices"][0]["message"]["content"]


def test_a_picture_shown_before_can_be_asked_about(ask: Ask) -> None:
    turns = [user("what is this", uri()), {"role": "assistant", "content": "a port"}]
    assert (
        ask(*turns, {"role": "user", "content": COUNT})[1]["choices"] == ask(user(COUNT, uri()))[1]["choices"]
    )


@pytest.mark.parametrize(
    ("messages", "fields", "code", "said"),
    [
        ([user("a?", uri())], {"model": "gpt-4o"}, 404, "ask for 'tiny'"),
        ([user("a?", uri())], {"n": 2}, 400, "n is not supported"),
        ([user("a?", uri())], {"tools": [{}]}, 400, "tools is not supported"),
        ([], {}, 400, "at least one message"),
        ([{"role": "system", "content": "hm"}], {}, 400, "the last message must be the user's"),
        ([user(None, uri())], {}, 400, "asks nothing"),
        ([user("??", uri())], {}, 400, "is empty"),
        ([user("a?")], {}, 400, "there is no picture"),
        ([user("a?", uri(), uri())], {}, 400, "one picture, not 2"),
        ([user("a?", "http://127.0.0.1/a.png")], {}, 400, "nothing is fetched"),
        ([user("a?", "/etc/passwd")], {}, 400, "nothing is fetched"),
        ([user("a?", "data:image/png;base64,%%%")], {}, 400, "base64 data are damaged"),
        ([user("a?", "data:image/png;base64,AAAA")], {}, 400, "the given bytes"),
        ([{"role": "user", "content": 3}], {}, 400, "a text or a list of parts"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_mistakes_are_told_in_one_line(
    ask: Ask, messages: list[Any], fields: dict[str, Any], code: int, said: str, stream: bool
) -> None:
    got, reply = ask(*messages, **fields, stream=stream)
    assert got == code
    assert said in reply["error"]["message"]
    assert "\n" not in reply["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("chat/completions", b"{", 400),
        ("chat/completions", b"[]", 400),
        ("completions", b"{}", 404),
        ("x", None, 404),
    ],
)
def test_what_is_no_chat_request(server: Server, path: str, body: bytes | None, code: int) -> None:
    got, text = send(f"{server.address}/{path}", body)
    assert (got, set(json.loads(text))) == (code, {"error"})


def test_too_large_a_request_is_not_read(server: Server) -> None:
    import http.client

    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)  # type: ignore[arg-type]
    connection.putrequest("POST", "/v1/chat/completions")
    connection.putheader("Content-Length", str(LARGEST_REQUEST + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_a_key_is_asked_for(model: SkyMoe) -> None:
    with Server(model, "tiny", "127.0.0.1", 0, key="s3cret") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        models = f"{server.address}/models"
        assert send(models)[0] == 401
        assert send(models, Authorization="Bearer wrong")[0] == 401
        assert send(models, Authorization="Bearer s3cret")[0] == 200
        assert EndpointEngine(Address.parse(server.address), key="s3cret").name == "tiny"
        server.shutdown()


def test_clients_that_ask_at_once_get_their_own_answers(server: Server, model: SkyMoe) -> None:
    pictures = [PICTURE.rotate(90 * n, expand=True) for n in range(4)] * 3
    client = EndpointEngine(Address.parse(server.address), concurrency=6)
    said = client.answer(pictures, [Query("caption")] * len(pictures))
    assert [one.text for one in said] == [model.caption(one, num_beams=1).text for one in pictures]


def test_a_port_that_is_taken(server: Server) -> None:
    from skymoe.errors import UserError

    with pytest.raises(UserError, match="choose another --port"):
        Server(None, "tiny", "127.0.0.1", server.server_address[1])


def test_a_question_is_read_without_its_line_breaks() -> None:
    body = json.dumps({"messages": [user("how many\n ships?", uri())]}).encode()
    assert read_chat(body, "tiny").question == "how many ships?"
