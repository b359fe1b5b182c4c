"""Models behind an address, asked over real HTTP: order, retries, refusals, keys, and a run that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluation.engines.chat_server import Server, answer_to, serving
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import get_benchmark
from skymoe.evaluation.engines import open_engine
from skymoe.evaluation.engines.asking import Asking
from skymoe.evaluation.engines.endpoint import LARGEST_PNG, Address, EndpointEngine, data_uri, find_key
from skymoe.evaluation.predictions import EngineLost, read_predictions
from skymoe.evaluation.running import Settings, evaluate
from skymoe.tasks import Query

FREE = Settings(num_beams=1, constrained=False, baselines=False)
LABELS = ("airport", "beach", "port")


def picture(seed: int = 0, size: tuple[int, int] = (12, 10)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


def engine(server: Server, **changes: Any) -> EndpointEngine:
    waits: list[float] = []
    made = EndpointEngine(Address(server.url, "fake-vl"), wait=waits.append, **changes)
    made.waits = waits  # type: ignore[attr-defined]
    return made


def test_answers_come_in_order_and_several_at_once() -> None:
    queries = [Query("vqa", f"Is there a ship, number {n}?") for n in range(24)]
    pictures = [picture(n % 5) for n in range(24)]

    def slowly(question: str, shown: Image.Image) -> str:
        time.sleep(0.02 if "number 0?" in question else 0.005)
        return answer_to(question, shown)

    with serving(reply=slowly) as server:
        asker = engine(server, concurrency=4)
        answers = asker.answer(pictures, queries)
        assert 1 < server.most_at_once <= 4
    wanted = [answer_to(asker.question(q), p) for q, p in zip(queries, pictures, strict=True)]
    assert [answer.text for answer in answers] == wanted
    assert answers[0].confidence is None


def test_the_request_is_the_canonical_question_and_the_very_picture() -> None:
    shown = picture(3)
    with serving() as server:
        engine(server).answer([shown], [Query("count", "storage tank")])
    (body,) = server.bodies
    assert (body["model"], body["temperature"]) == ("fake-vl", 0)
    image, text = body["messages"][0]["content"]
    assert text["text"] == "How many storage tanks are there in this image? Answer with a number."
    assert image["image_url"]["url"] == data_uri(shown)
    assert image["image_url"]["url"].startswith("data:image/png;base64,")


def test_large_pictures_are_sent_smaller() -> None:
    noise = picture(size=(2000, 1500))
    assert len(data_uri(noise)) < LARGEST_PNG
    assert data_uri(noise).startswith("data:image/jpeg;base64,")


def test_boxes_are_read_in_the_notation_asked_for() -> None:
    with serving(reply=lambda question, shown: "[100, 200, 500, 1000]") as server:
        for boxes, wanted in (
            ("qwen", (10, 40, 50, 200)),
            ("pixel", (100, 200, 100, 200)),
            ("geochat", None),
        ):
            (answer,) = engine(server, asking=Asking(boxes)).answer(
                [picture(size=(100, 200))], [Query("ground", "it")]
            )
            assert (answer.boxes[0].xyxy if answer.boxes else None) == wanted, boxes


def test_what_fails_for_now_is_asked_again_as_the_server_says() -> None:
    def trouble(number: int, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes] | None:
        if number == 0:
            return 429, {"Retry-After": "7"}, b"{}"
        if number == 1:
            return 503, {}, b"overloaded"
        return (200, {}, b'{"choices": [') if number == 2 else None  # cut off

    with serving(trouble=trouble) as server:
        asker = engine(server)
        (answer,) = asker.answer([picture()], [Query("count", "ship")])
    assert answer.text == answer_to(asker.question(Query("count", "ship")), picture())
    assert asker.waits == [7.0, 2.0, 4.0]  # type: ignore[attr-defined]
    assert len(server.bodies) == 4


def test_what_never_passes_ends_the_run_with_one_line() -> None:
    with serving(trouble=lambda number, body: (500, {}, b"no\nluck")) as server:
        with pytest.raises(
            EngineLost, match=r"3 attempts failed, the last with: HTTP 500 no luck; the same command"
        ) as lost:
            engine(server, attempts=3).answer([picture()], [Query("count", "ship")])
        assert "\n" not in str(lost.value)
        server.trouble = lambda number, body: (404, {}, b'{"error": "no such model"}')
        with pytest.raises(EngineLost, match=r"HTTP 404 .*no such model.*is the address right"):
            engine(server).answer([picture()], [Query("count", "ship")])
        server.trouble = lambda number, body: (200, {}, b'{"choices": []}')
        with pytest.raises(EngineLost, match="which is no chat completion"):
            engine(server).answer([picture()], [Query("count", "ship")])
    with pytest.raises(EngineLost, match="2 attempts failed"):
        engine(server, attempts=2).answer([picture()], [Query("count", "ship")])


def test_a_refused_question_is_an_empty_answer() -> None:
    refusal = b'{"error": {"code": "content_filter", "message": "The picture was refused"}}'
    with serving(trouble=lambda number, body: (400, {}, refusal) if number == 0 else None) as server:
        first, second = engine(server, concurrency=1).answer([picture()] * 2, [Query("caption")] * 2)
    assert (first.text, first.parsed) == ("", False)
    assert second.parsed


def test_models_that_want_other_fields_get_them() -> None:
    def modern(number: int, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes] | None:
        for old, said in (("max_tokens", "use 'max_completion_tokens' instead"), ("temperature", "")):
            if old in body:
                return 400, {}, f'{{"error": "unsupported parameter {old}; {said}"}}'.encode()
        return None

    with serving(trouble=modern) as server:
        answers = engine(server, concurrency=4).answer([picture()] * 8, [Query("count", "ship")] * 8)
    assert len({answer.text for answer in answers}) == 1
    assert server.bodies[-1]["max_completion_tokens"] == 64


def test_answers_in_parts_and_none() -> None:
    parts: list[Any] = [[{"type": "text", "text": "tw"}, {"type": "text", "text": "o"}], None]
    with serving(reply=lambda question, shown: parts.pop(0)) as server:
        asker = engine(server, concurrency=1)
        assert asker.answer([picture()], [Query("count", "ship")])[0].number == 2
        assert asker.answer([picture()], [Query("count", "ship")])[0].text == ""


def test_the_key_goes_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SKYMOE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    local, hosted = Address("http://127.0.0.1:1/v1", "m"), Address("https://api.openai.com/v1", "m")
    monkeypatch.setenv("OPENAI_API_KEY", "o")
    assert (find_key(local), find_key(hosted)) == (None, "o")
    monkeypatch.setenv("SKYMOE_API_KEY", "s")
    assert (find_key(local), find_key(hosted)) == ("s", "s")
    with pytest.raises(UserError, match="'MY_KEY' is not set"):
        find_key(local, "MY_KEY")
    with serving(key="s") as server:
        assert engine(server, key=find_key(local)).answer([picture()], [Query("caption")])[0].parsed
        with pytest.raises(EngineLost, match=r"HTTP 401.*put the key into SKYMOE_API_KEY"):
            engine(server, key="other").answer([picture()], [Query("caption")])


def test_a_redirect_does_not_take_the_key_elsewhere() -> None:
    with serving() as elsewhere:
        away = {"Location": elsewhere.url + "/chat/completions"}
        with (
            serving(trouble=lambda number, body: (307, away, b"")) as server,
            pytest.raises(EngineLost, match=r"HTTP 307.*the address is another one"),
        ):
            engine(server, key="s").answer([picture()], [Query("caption")])
        assert elsewhere.bodies == []


def test_addresses() -> None:
    assert Address.parse("http://h:8000/v1/#org/model") == Address("http://h:8000/v1", "org/model")
    assert Address.parse("https://h/v1/chat/completions#m") == Address("https://h/v1", "m")
    for wrong, words in (
        ("http://", "is no address"),
        ("https://me:secret@h/v1#m", "holds a password"),
        ("https://h/v1?version=2#m", "a query"),
    ):
        with pytest.raises(UserError, match=words) as error:
            Address.parse(wrong)
        assert "secret" not in str(error.value)


def test_the_only_model_served_need_not_be_named() -> None:
    with serving(models=["org/Some-VL"]) as server:
        opened = open_engine(server.url)
        assert (opened.name, opened.kind, opened.typed) == ("Some-VL", "endpoint", False)
        assert opened.weights == open_engine(f"{server.url}#org/Some-VL").weights
    with (
        serving(models=["a", "b"]) as server,
        pytest.raises(UserError, match=r"several models or none \(a, b\)"),
    ):
        open_engine(server.url)
    with pytest.raises(UserError, match="do not fit"):
        open_engine("nano", engine="endpoint")


def test_a_lost_endpoint_stops_the_evaluation_and_the_same_call_continues(
    miniatures: Path, tmp_path: Path
) -> None:
    chosen = [get_benchmark("ucm-scenes"), get_benchmark("rsivqa-ucm-themes")]
    small = Settings(num_beams=1, constrained=False, baselines=False, batch_size=1)

    def run(server: Server, out: Path, **changes: Any) -> dict[str, Any]:
        return evaluate(
            engine(server, **changes), {"name": "m", "weights": "0"}, chosen, out, small, root=miniatures
        )

    with serving() as server:
        whole = run(server, tmp_path / "whole")
        server.bodies.clear()
        server.trouble = lambda number, body: (500, {}, b"") if number > 0 else None
        with pytest.raises(EngineLost):
            run(server, tmp_path / "lost", attempts=1)
        server.trouble = lambda number, body: None
        # The port differs from run to run, so the settings name the same place only here.
        assert run(server, tmp_path / "lost") == whole
    name = "ucm-scenes/predictions.jsonl"
    assert (tmp_path / "lost" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    lines = read_predictions(tmp_path / "whole" / name)
    assert all(line["question"] == "Which scene does this image belong to?" for line in lines)


def test_explained_questions_name_the_form_and_the_lines_say_so(miniatures: Path, tmp_path: Path) -> None:
    asking = Asking("qwen", explain=True)
    many = tuple(f"scene {number}" for number in range(13))  # up to twelve are named anyway
    assert asking.question(Query("classify", labels=many)).endswith(
        "classes: " + ", ".join(many) + ". Answer in one word or a short phrase."
    )
    assert asking.question(Query("classify", labels=LABELS)) == Asking().question(
        Query("classify", labels=LABELS)
    )
    assert asking.question(Query("ground", "the ship")) == (
        "[refer] Where is <p> the ship </p>? Answer with its bounding box x1, y1, x2, y2 with integers from 0 to 1000, "
        "as <|box_start|>(100,200),(300,400)<|box_end|>."
    )
    assert asking.question(Query("count", "ship")) == Asking().question(Query("count", "ship"))
    with serving() as server:
        found = evaluate(
            engine(server, asking=asking), {"name": "m", "weights": "0"}, [get_benchmark("ucm-scenes")], tmp_path,
            replace(FREE, explain=True, boxes="qwen"), root=miniatures,
        )  # fmt: skip
    assert "named the list of scenes" in found["results"]["ucm-scenes"]["notes"]["explain"]
    assert replace(FREE, explain=True, boxes="qwen").folder == "beams1-free-explained-qwen"
    (line, *_) = read_predictions(tmp_path / "ucm-scenes" / "predictions.jsonl")
    assert "from the following classes: " in line["question"]
    with pytest.raises(UserError, match="unknown box notation 'yolo'"):
        Asking("yolo")


def test_killed_with_minus_nine_and_run_again_is_the_same_to_the_byte(
    miniatures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command itself, as another process, killed while it asks."""
    monkeypatch.setenv("PATH", "")

    def slowly(question: str, shown: Image.Image) -> str:
        time.sleep(0.15)
        return answer_to(question, shown)

    def command(out: Path) -> list[str]:
        asked = (
            "-b",
            "airbus-count",
            "-b",
            "airbus-ground",
            "--boxes",
            "pixel",
            "--batch-size",
            "2",
            "--no-baselines",
        )
        return [
            sys.executable,
            "-m",
            "skymoe",
            "eval",
            f"{server.url}#fake-vl",
            *asked,
            "--concurrency",
            "2",
            "--out",
            str(out),
        ]

    environment = {**os.environ, "SKYMOE_DATA": str(miniatures)}
    with serving(reply=slowly) as server:
        killed = subprocess.Popen(
            command(tmp_path / "killed"),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        path = tmp_path / "killed" / "airbus-count" / "predictions.jsonl"
        end = time.monotonic() + 300
        while (
            not (path.is_file() and path.stat().st_size) and time.monotonic() < end and killed.poll() is None
        ):
            time.sleep(0.02)
        assert killed.poll() is None, "it ended before it could be killed"
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        answered = len(path.read_bytes().splitlines())
        path.write_bytes(
            path.read_bytes() + b'{"id": "airbus'
        )  # as if the death had come in the middle of a write
        server.reply = answer_to
        asked = len(server.bodies)
        for folder in ("killed", "whole"):
            done = subprocess.run(
                command(tmp_path / folder), env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            server.bodies, asked, earlier = [], len(server.bodies), asked
    questions = sum(len(p.read_bytes().splitlines()) for p in (tmp_path / "whole").rglob("predictions.jsonl"))
    assert questions > answered > 0
    assert asked == questions  # the whole run asks them all
    for path in (tmp_path / "whole").rglob("*.json*"):
        other = tmp_path / "killed" / path.relative_to(tmp_path / "whole")
        assert path.read_bytes() == other.read_bytes(), path.name
    report = json.loads((tmp_path / "killed" / "report.json").read_text(encoding="utf-8"))
    assert set(report["results"]) == {"airbus-count", "airbus-ground"}
    assert earlier > 0
