"""Checkpoints of others: asked in our words by their own processor and template, batched, and judged like ours."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.tiny_model import build
from evaluation.engines import foreign_models
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import get_benchmark
from skymoe.evaluation.engines import open_engine
from skymoe.evaluation.engines.asking import LONGEST, Asking
from skymoe.evaluation.engines.opening import model_type, trained_on
from skymoe.evaluation.engines.transformers import TransformersEngine
from skymoe.evaluation.predictions import predict, read_predictions
from skymoe.evaluation.running import Settings, evaluate
from skymoe.evaluation.scoring import score_records
from skymoe.tasks import Query

FREE = Settings(num_beams=1, constrained=False, batch_size=4)
QUERIES = [
    Query("caption"), Query("count", "storage tank"), Query("ground", "the ship"), Query("vqa", "Is there a ship?"),
    Query("classify", labels=("port", "beach")), Query("count", "ship"),
]  # fmt: skip


def pictures(count: int, size: tuple[int, int] = (40, 30)) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)) for _ in range(count)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return foreign_models.save(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module", params=["llava", "qwen"])
def parts(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return getattr(foreign_models, request.param)()


def test_batched_is_one_by_one(parts: tuple[Any, Any]) -> None:
    shown = pictures(len(QUERIES))
    together = TransformersEngine(*parts, batch_size=4).answer(shown, QUERIES)
    alone = [TransformersEngine(*parts).answer([p], [q])[0] for p, q in zip(shown, QUERIES, strict=True)]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert len({answer.text for answer in together}) > 1
    for one, other in zip(together, alone, strict=True):
        assert one.task == other.task
        assert one.confidence == pytest.approx(other.confidence, rel=1e-3)


def test_nothing_is_sampled_whatever_the_checkpoint_ships(parts: tuple[Any, Any]) -> None:
    engine = TransformersEngine(*parts)
    first = engine.answer(pictures(2), QUERIES[:2])
    torch.manual_seed(7)
    assert engine.answer(pictures(2), QUERIES[:2]) == first


def test_confidence_is_the_probability_of_the_answer_and_its_end(parts: tuple[Any, Any]) -> None:
    model, processor = parts
    engine = TransformersEngine(model, processor)
    query, shown = Query("count", "ship"), pictures(1)
    (answer,) = engine.answer(shown, [query])
    inputs = processor.apply_chat_template(
        [engine._turn(shown[0], engine.question(query))], tokenize=True, add_generation_prompt=True, return_dict=True,
        return_tensors="pt",
    )  # fmt: skip
    with torch.no_grad():
        spoken = model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=LONGEST["count"],
            output_logits=True,
            return_dict_in_generate=True,
        )
    said = spoken.sequences[0, inputs["input_ids"].shape[1] :]
    chances = [
        logits[0].float().log_softmax(-1)[token] for logits, token in zip(spoken.logits, said, strict=True)
    ]
    assert answer.text == processor.decode(said, skip_special_tokens=True).strip()
    assert answer.confidence == pytest.approx(math.exp(sum(chances)), rel=1e-3)
    (beams,) = engine.answer(shown, [query], num_beams=2)
    assert beams.confidence is None


def test_pixels_are_of_what_the_model_saw() -> None:
    engine = TransformersEngine(*foreign_models.qwen(), asking=Asking("pixel"))
    assert engine.input_size(120, 40) is None
    engine.answer(pictures(1, (120, 40)), [Query("ground", "the ship")])
    # 120×40 in multiples of 28, at least four blocks.
    assert engine.input_size(120, 40) == (112, 28)
    llava = TransformersEngine(*foreign_models.llava())
    llava.answer(pictures(1), [Query("ground", "the ship")])
    assert llava.input_size(40, 30) is None
    read = engine.asking.read(Query("ground", "it"), "[56, 7, 112, 28]", pictures(1, (120, 40))[0], (112, 28))
    assert read.boxes[0].xyxy == pytest.approx((60, 10, 120, 40))


def test_lines_carry_the_frame_of_their_pixels(miniatures: Path, tmp_path: Path) -> None:
    engine = TransformersEngine(*foreign_models.qwen(), asking=Asking("pixel", max_tokens=8))
    items = get_benchmark("airbus-ground").items("train", root=miniatures)[:4]
    lines = predict(engine, items, tmp_path / "p.jsonl", {"model": "m"}, constrained=False)
    assert all(line["input_size"][0] % 28 == 0 for line in lines)
    settings = json.loads((tmp_path / "p.settings.json").read_text(encoding="utf-8"))
    assert settings["engine"] == {"max_tokens": 8, "dtype": "float32"}
    wide, high = lines[0]["input_size"]
    whole = {
        **lines[0],
        "prediction": f"[0, 0, {wide}, {high}]",
        "reference": [0, 0, lines[0]["width"], lines[0]["height"]],
    }
    assert score_records("ground", [whole], boxes="pixel").metrics["miou"]["value"] == pytest.approx(1)


def test_a_checkpoint_through_the_whole_evaluation_resumed(
    checkpoint: Path, miniatures: Path, tmp_path: Path, without_java: None
) -> None:
    opened = open_engine(str(checkpoint), engine="transformers", batch_size=3, asking=Asking(max_tokens=6))
    assert (opened.kind, opened.typed, opened.name) == ("transformers", False, checkpoint.name)
    chosen = [
        get_benchmark(name)
        for name in ("ucm-captions", "airbus-count", "airbus-ground", "ucm-scenes", "rsivqa-ucm")
    ]

    def run(out: Path) -> dict[str, Any]:
        return evaluate(opened.engine, opened.identity, chosen, out, FREE, root=miniatures)

    whole = run(tmp_path / "a")
    assert set(whole["results"]) == {benchmark.name for benchmark in chosen}, whole["skipped"]
    path = tmp_path / "a" / "airbus-count" / "predictions.jsonl"
    before = path.read_bytes()
    assert all("confidence" in line for line in read_predictions(path))
    path.write_bytes(before[: len(before) // 2])
    assert run(tmp_path / "a") == whole
    assert path.read_bytes() == before


def test_what_reads_a_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    assert model_type(checkpoint) == "llava"
    assert open_engine(str(checkpoint)).kind == "skymoe"  # our engine reads LLaVA's, with typed answers
    ours = tmp_path / "ours"
    for part in build():
        part.save_pretrained(ours)
    opened = open_engine(str(ours), batch_size=5)
    assert (opened.kind, opened.typed) == ("skymoe", True)
    assert opened.engine.batch_size == 5  # type: ignore[attr-defined]
    foreign = open_engine(str(ours), engine="transformers", asking=Asking(max_tokens=4))
    assert foreign.engine.answer(pictures(1), [Query("count", "ship")])[0].task == "count"
    assert foreign.weights == opened.weights


def test_what_cannot_be_loaded_is_one_line(checkpoint: Path, tmp_path: Path) -> None:
    for content, words in (
        ({"model_type": "made-up"}, "made-up"),
        ({"model_type": "llava"}, "cannot be loaded"),
        (
            {"model_type": "made-up", "auto_map": {"AutoConfig": "configuration.Made"}},
            "brings code, .* not run here",
        ),
    ):
        (tmp_path / "config.json").write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(UserError, match=words) as error:
            open_engine(str(tmp_path), engine="transformers")
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="unknown engine 'vllm'"):
        open_engine(str(checkpoint), engine="vllm")
    with pytest.raises(UserError, match="unknown dtype 'int8'"):
        open_engine(str(checkpoint), engine="transformers", dtype="int8")
    with pytest.raises(UserError, match="unknown model 'nowhere'"):
        open_engine("nowhere")


def test_what_a_card_says_it_was_trained_on(tmp_path: Path) -> None:
    assert trained_on(tmp_path) is None
    card = tmp_path / "README.md"
    for head, wanted in (
        ("---\ndatasets:\n- rsicd\n- ucm-captions\n---\n", ("rsicd", "ucm-captions")),
        ("---\ndatasets: rsicd\n---\n", ("rsicd",)),
        ("---\nlicense: mit\n---\n", None),
        ("---\n: [\n---\n", None),
        ("no head", None),
    ):
        card.write_text(head, encoding="utf-8")
        assert trained_on(tmp_path) == wanted, head
