from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("cv2", reason="augmentation needs OpenCV: pip install 'skymoe[augment]'")

from skymoe.cli.augment import augment
from skymoe.errors import UserError

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "augment"


def run(*arguments: str) -> str:
    done = CliRunner().invoke(augment, [*arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_example_folder_is_masked_previewed_and_checked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = json.loads(
        run("cutout", str(EXAMPLE), "--out", str(out), "--workers", "1", "--preview", "--json")
    )
    assert report["samples_in"] == 4 == report["samples_edited"] + sum(report["refused"].values())
    assert report["refused"] == {"one object only": 1}
    assert report["acceptance"] == 1.0
    assert [Path(path).is_file() for path in report["previews"]] == [True]
    assert "5 edited pictures checked, 0 with faults" in run("check", str(out))
    # The same command again finds nothing to do and says the same.
    again = run("cutout", str(EXAMPLE), "--out", str(out), "--workers", "1")
    assert again.startswith("5 pictures of 3 samples; 4 samples looked at.")


def test_a_choice_of_samples_is_fixed_by_the_seed(tmp_path: Path) -> None:
    first, second = (
        run("cutout", str(EXAMPLE), "--out", str(tmp_path / name), "--limit", "2", "--workers", "1", "--json")
        for name in ("a", "b")
    )
    assert json.loads(first)["samples_in"] == 2
    assert (tmp_path / "a/samples.jsonl").read_bytes() == (tmp_path / "b/samples.jsonl").read_bytes()
    assert json.loads(first) == {**json.loads(second), "out": str(tmp_path / "a")}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cutout", "no-such-data"], "no data source is called 'no-such-data'"),
        (["cutout", str(EXAMPLE), "--fill", "pink"], "--fill 'pink': choose zero, mean or inpaint"),
        (["recolour", str(EXAMPLE.parent)], "there is no samples.jsonl in it"),
        (["relocate", "dota", "-o", "side"], "must be name=value"),
        (["cutout", str(EXAMPLE), "--split", "dev"], "there is no split 'dev'"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        CliRunner().invoke(
            augment, [*arguments, "--out", str(tmp_path / "out"), "--workers", "1"], catch_exceptions=False
        )
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_check_of_something_else_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no samples\.jsonl"):
        CliRunner().invoke(augment, ["check", str(tmp_path)], catch_exceptions=False)
