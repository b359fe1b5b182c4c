"""What a base does not allow is said by its key, before data or weights are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_base import recipe

from skymoe.errors import UserError
from skymoe.models.skymoe.upcycling import upcycle
from skymoe.train.recipe import Base
from skymoe.train.stages import Training

ENCODER = {"kind": "encoder", "name": "e", "steps": 1, "batch_size": 4}


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"kind": "experts", "name": "x", "steps": 1, "offset": 7}, r"stages\.0\.offset: 7, .*: give 0 to 3"),
        ({**ENCODER, "feature_width": 24}, r"stages\.0\.feature_width: 24 narrows a tower of 24: give 1 to 23"),
        ({**ENCODER, "resampler": {"heads": 5}}, r"stages\.0\.resampler\.heads: 5 must divide 32"),
        (
            {"kind": "specialists", "name": "s", "steps": 1, "router_heads": 5, "everything": True, "resampler": {}},
            r"stages\.0\.router_heads: 5 must divide the decoder's width of 32",
        ),
    ],
)  # fmt: skip
def test_a_stage_must_fit_the_base(tiny: Path, tmp_path: Path, stage: dict[str, Any], message: str) -> None:
    made = recipe(tmp_path / "run", tiny / "llava", tmp_path / "no-data-are-read", stage)
    with pytest.raises(UserError, match=message) as caught:
        Training(made)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_base_with_experts_keeps_them(tmp_path: Path) -> None:
    def asked(**settings: int) -> Training:
        stage = {"kind": "experts", "name": "x", "steps": 1, **settings}
        made = recipe(tmp_path, tmp_path, tmp_path / "none", stage)
        return Training(made.model_copy(update={"base": Base(model="nano")}))

    with pytest.raises(
        UserError, match=r"stages\.0\.experts: 4, but base\.model nano has experts already, with experts 8"
    ):
        asked(experts=4)
    with pytest.raises(UserError, match="samples"):  # as nano is: only the data are missing
        asked(experts=8, top_k=2)


DAMAGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "another image token": ("config.json", {"image_token_index": 7}, "it says token 7 for a picture"),
    "a token too many": ("config.json", {"image_token_index": 10**6}, "it says token 1000000 for a picture"),
    "a layer too many": ("config.json", {"vision_feature_layer": 99}, "vision_feature_layer is 99"),
    "no patches": ("processor_config.json", {"patch_size": 0}, "picture settings cannot be used"),
    "less than none": ("processor_config.json", {"num_additional_image_tokens": -50}, "a picture takes -"),
    "one mean": ("image_processor", {"image_mean": [0.5]}, "mean must have 3"),
    "no size": ("image_processor", {"size": {"height": 0, "width": 0}}, "size says 0"),
}


@pytest.mark.parametrize(("name", "change", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_base_is_refused_before_anything_is_written(
    tiny: Path, tmp_path: Path, name: str, change: dict[str, Any], message: str
) -> None:
    upcycle(tiny / "llava", tmp_path / "base", num_experts=0)
    file = tmp_path / "base" / ("processor_config.json" if name == "image_processor" else name)
    told = json.loads(file.read_text())
    (told[name] if name == "image_processor" else told).update(change)
    file.write_text(json.dumps(told))
    made = recipe(
        tmp_path / "run", tmp_path / "base", tiny / "samples", {"kind": "dense", "name": "a", "steps": 1}
    )
    with pytest.raises(UserError, match=message) as caught:
        Training(made).run()
    assert "\n" not in str(caught.value)
    assert "base.model" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_template_that_fails_is_refused_unless_another_is_chosen(tiny: Path, tmp_path: Path) -> None:
    upcycle(tiny / "llava", tmp_path / "base", num_experts=0)
    (tmp_path / "base" / "chat_template.jinja").write_text("{{ nope.x }}")
    stage = {"kind": "dense", "name": "a", "steps": 1}
    made = recipe(tmp_path / "run", tmp_path / "base", tiny / "samples", stage)
    for template in ("own", "vicuna"):
        base = Base(model=str(tmp_path / "base"), template=template)
        chosen = made.model_copy(update={"base": base})
        if template == "own":
            with pytest.raises(UserError, match=r"chat template cannot be used .'nope' is undefined"):
                Training(chosen)
        else:
            Training(chosen)
