"""The JSON of strangers: one line for every mistake, and soon."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest

from serve.test_serve import uri, user
from skymoe.serve.chat import read_chat
from skymoe.serve.errors import ChatError

GOOD = json.dumps({"messages": [user("a ship?", uri())]})


def part(**fields: object) -> str:
    return json.dumps({"messages": [{"role": "user", "content": [{"type": "text", **fields}]}]})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\xff" + GOOD.encode(), "UTF-8"),
        (GOOD.encode("utf-16"), "UTF-8"),
        (GOOD[:-1] + ', "n": NaN}', "NaN is no number"),
        (GOOD[:-1] + ', "n": -Infinity}', "-Infinity is no number"),
        (GOOD[:-1] + ', "n": ' + "9" * 5000 + "}", "too many digits"),
        (GOOD[:-1] + ', "stream": true, "stream": false}', "'stream' twice"),
        ("[" * 90_000, "nested too deeply"),
        ('{"a":' * 20_000, "nested too deeply"),
        ('{"messages": ' + "[" * 40_000 + "]" * 40_000 + "}", "nested too deeply"),
        (json.dumps({"messages": [{}] * 1_000_000}), "values"),
        ("[" + "0," * 30_000_000 + "0]", "values"),
        ("{" + ",".join(f'"{n}":0' for n in range(30_000)) + ',"29999":0}', "'29999' twice"),
        ("7" * 200, "no JSON object"),
        (part(text=3), "must have a text"),
        (part(text=None), "must have a text"),
        (part(), "must have a text"),
        (part(text="a\ud800"), "half of a character"),
        (part(text="a" * 20_001), "20,001 characters"),
        (json.dumps({"model": "x" * 100_000, "messages": []}), "is not served here"),
        (json.dumps({"model": ["x"] * 1000, "messages": []}), "is not served here"),
    ],
)
def test_a_mistake_is_one_line_and_soon(body: str | bytes, said: str) -> None:
    raw = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    began = time.process_time()
    with pytest.raises(ChatError, match=said) as caught:
        read_chat(raw, "tiny")
    assert time.process_time() - began < 2
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)
    assert caught.value.body()["error"]["message"].isprintable()


@pytest.mark.parametrize(
    "head",
    ["data:image/png;charset=x;base64", "data:;base64", "DATA:image/png;Base64", "data:;a=b;c=d;base64"],
)
def test_a_data_uri_may_have_parameters(head: str) -> None:
    picture = uri()
    changed = head + picture[picture.index(",") :]
    read = read_chat(json.dumps({"messages": [user("a ship?", changed)]}).encode(), "tiny")
    assert read == read_chat(GOOD.encode(), "tiny")


@pytest.mark.parametrize(
    "head", ["data:image/png", "data:image/png;base64;charset=x", "base64", "data:base64"]
)
def test_what_is_no_data_uri_in_base64(head: str) -> None:
    with pytest.raises(ChatError, match="must be a data URI"):
        read_chat(json.dumps({"messages": [user("a?", f"{head},AAAA")]}).encode(), "tiny")


@pytest.mark.parametrize("parts", [1, 300])
def test_a_question_that_is_too_long_is_not_divided_into_words(parts: int) -> None:
    words = {"type": "text", "text": "ab " * (3_000_000 // parts)}
    raw = json.dumps({"messages": [{"role": "user", "content": [words] * parts}]}).encode()
    tracemalloc.start()
    try:
        with pytest.raises(ChatError, match="9,000,000 characters"):
            read_chat(raw, "tiny")
        assert tracemalloc.get_traced_memory()[1] < 4 * len(raw)
    finally:
        tracemalloc.stop()
