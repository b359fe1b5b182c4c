"""A stranger's checkpoint that cannot answer says so when it is loaded, in one line that names the part."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import skymoe
from engine.tiny_model import build
from skymoe.errors import UserError
from skymoe.models import trying

TEMPLATE = "chat_template.jinja"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model, processor = build()
    path = tmp_path_factory.mktemp("tiny")
    model.save_pretrained(path)
    processor.save_pretrained(path)
    return path


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def refused(folder: Path, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        skymoe.load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def edit(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    told = json.loads((folder / name).read_text())
    change(told)
    (folder / name).write_text(json.dumps(told))


def test_what_is_tried_is_not_remembered(folder: Path) -> None:
    model = skymoe.load(folder)
    assert model.prefixes.encoded == 0


TEMPLATES = {
    "no picture": ("{{ 'hello' }}", "<image> 0 times"),
    "blank": ("  ", "chat template cannot be used"),
    "two pictures": ("{{ '<image>' }}…", "<image> 2 times"),
    "many pictures": ("{{ '<image>' * 1000 }}…", "<image> 1001 times"),
    "syntax": ("{% for %}", "chat template cannot be used"),
    "undefined": ("{{ nope.x }}…", "'nope' is undefined"),
    "raises": ("{{ raise_exception('no\nway') }}", "no way"),
    "includes": ("{% include '/etc/passwd' %}…", "chat template cannot be used"),
    "reaches out": ("{{ ''.__class__.__mro__[1].__subclasses__() }}…", "is unsafe"),
    "range": ("{% for i in range(10**9) %}{% endfor %}…", "Range too big"),
    "parentheses": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}…", "recursion"),
    "recursion": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}…", "recursion"),
    "without end": (
        "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}…",
        "has not ended",
    ),
    "more than memory": ("{{ 'a' * 10**15 }}…", "MemoryError"),
    "long": ("{{ 'a ' * 10**6 }}…", "characters around a question of one letter"),
    "a long file": ("…{# " + "x" * 200_000 + " #}", "more than 100000"),
    "only with an answer": (
        "{% for m in messages if m.role == 'assistant' %}{{ nope.x }}{% endfor %}…",
        "'nope' is undefined",
    ),
    "picture last": (
        "{% for m in messages %}{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}"
        "{% endfor %}<image>",
        "nothing follows the picture",
    ),
}


@pytest.mark.parametrize(("text", "message"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_chat_template(folder: Path, text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "TEMPLATE_SECONDS", 0.2)
    trace = sys.gettrace()
    (folder / TEMPLATE).write_text(text.replace("…", (folder / TEMPLATE).read_text()))
    refused(folder, message)
    assert sys.gettrace() is trace, "debuggers and coverage go on"


PICTURES: dict[str, tuple[dict[str, Any], str]] = {
    "no size": ({"size": {"height": 0, "width": 0}}, "size says 0"),
    "a negative size": ({"size": {"height": -1, "width": -1}}, "size says -1"),
    "a large size": ({"size": {"height": 10**6, "width": 10**6}}, "size says 1000000"),
    "a large crop": (
        {"do_center_crop": True, "crop_size": {"height": 10**5, "width": 10**5}},
        "crop_size says 100000",
    ),
    "one mean": ({"image_mean": [0.5]}, "mean must have 3"),
    "a mean of NaN": ({"image_mean": [float("nan")] * 3}, "NaN or infinity"),
    "no spread": ({"image_std": [0, 0, 0]}, "NaN or infinity"),
    "an overflow": ({"rescale_factor": 1e300}, "NaN or infinity"),
    "a filter": ({"resample": 99}, "Unknown resampling"),
    "another kind": ({"image_processor_type": "SamImageProcessor"}, "picture settings cannot be used"),
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(("change", "message"), PICTURES.values(), ids=PICTURES)
def test_settings_of_pictures(folder: Path, change: dict[str, Any], message: str) -> None:
    edit(folder, "processor_config.json", lambda told: told["image_processor"].update(change))
    refused(folder, message)


PROCESSORS: dict[str, tuple[dict[str, Any], str]] = {
    "no patches": ({"patch_size": 0}, "picture settings cannot be used"),
    "patches of words": ({"patch_size": "x"}, "picture settings cannot be used"),
    "too many tokens": ({"num_additional_image_tokens": 10**6}, "a picture takes 10000"),
    "less than none": ({"num_additional_image_tokens": -50}, "a picture takes -"),
    "one token too many": ({"num_additional_image_tokens": 2}, "the tower makes"),
    "an unknown token": ({"image_token": "<nope>"}, "<nope> 0 times"),
    "another token": ({"image_token": "<|user|>"}, "for a picture, the processor"),
}


@pytest.mark.parametrize(("change", "message"), PROCESSORS.values(), ids=PROCESSORS)
def test_a_processor(folder: Path, change: dict[str, Any], message: str) -> None:
    edit(folder, "processor_config.json", lambda told: told.update(change))
    refused(folder, message)


def test_tokens_that_the_model_does_not_have(folder: Path) -> None:
    size = json.loads((folder / "config.json").read_text())["text_config"]["vocab_size"]
    edit(folder, "tokenizer.json", lambda told: told["model"]["vocab"].update(zz=size))
    refused(folder, f"a token of number {size}, the model has {size}")


def test_a_normaliser_that_multiplies_texts(folder: Path) -> None:
    """Each step looks harmless; in a row they would never end."""
    step = {"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 100}
    edit(
        folder,
        "tokenizer.json",
        lambda told: told.update(normalizer={"type": "Sequence", "normalizers": [step] * 9}),
    )
    refused(folder, "its normaliser makes up to")


def test_ordinary_normalisers_are_none_of_these(folder: Path) -> None:
    steps = [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ]
    edit(
        folder,
        "tokenizer.json",
        lambda told: told.update(normalizer={"type": "Sequence", "normalizers": steps}),
    )
    skymoe.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rms_norm_eps": float("nan")}, "NaN or infinity"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 0}}, "NaN or infinity"),
        ({"max_position_embeddings": 8}, "a picture takes"),
    ],
    ids=str,
)
def test_a_configuration(folder: Path, change: dict[str, Any], message: str) -> None:
    edit(folder, "config.json", lambda told: told["text_config"].update(change))
    refused(folder, message)


def test_a_layer_that_the_tower_lacks(folder: Path) -> None:
    edit(folder, "config.json", lambda told: told.update(vision_feature_layer=99))
    refused(folder, "config.json cannot be used")


def test_finite_weights_whose_answers_are_not(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    norm = state["model.language_model.norm.weight"]
    state["model.language_model.norm.weight"] = torch.full_like(norm, 3e38)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    refused(folder, "NaN or infinity after a grey picture")
