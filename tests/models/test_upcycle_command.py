"""`skymoe upcycle` hands its options on and says what came out."""

import json

import pytest
import typer
from typer.testing import CliRunner

from skymoe.cli.upcycle import upcycle
from skymoe.errors import UserError
from skymoe.models.skymoe import SkyMoeConfig

from .tiny_models import skymoe

APP = typer.Typer()
APP.command()(upcycle)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("base")
    skymoe(num_experts=0).save_pretrained(folder)
    return str(folder)


def test_json(base, tmp_path) -> None:
    options = ["--experts", "4", "--top-k", "1", "--every", "3", "--offset", "1", "--image-size", "56"]
    options += ["--dtype", "bfloat16", "--router", "instruction", "--max-shard-size", "30KB", "--json"]
    done = CliRunner().invoke(APP, [base, str(tmp_path / "out"), *options], catch_exceptions=False)
    result = json.loads(done.stdout)
    config = SkyMoeConfig.from_pretrained(tmp_path / "out")
    assert (config.num_experts, config.num_experts_per_tok, config.expert_layers) == (4, 1, [1])
    assert (config.vision_config.image_size, config.router_conditioning) == (56, "instruction")
    ffn = 3 * 32 * 48
    assert result["experts"] == 4 * ffn + 2 * 4 * 32
    assert result["activated"] == result["total"] - 3 * ffn
    assert result["image_tokens"] == 16
    assert result["shards"] > 1


def test_for_a_person(base, tmp_path) -> None:
    done = CliRunner().invoke(APP, [base, str(tmp_path / "out"), "--layers", "0,3"], catch_exceptions=False)
    assert "in layers [0, 3]" in done.stdout
    assert "activated for a token" in done.stdout
    assert "no processor files" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layers", "a"], "--layers 'a' must be numbers"),
        (["--router", "x"], "--router 'x' must be token or instruction"),
        (["--image-size", "5"], "image_size=5"),
    ],
)
def test_mistakes_are_user_errors(base, tmp_path, options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        CliRunner().invoke(APP, [base, str(tmp_path / "out"), *options], catch_exceptions=False)
