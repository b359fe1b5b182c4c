"""Options of a user's own files, by every command that takes them: what is wrong is one line and exit code 2."""

from __future__ import annotations

import inspect
import itertools
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from data.sources.miniatures import class_folders, coco, conversations, table, voc, yolo
from skymoe.data.sources import FORMATS, SPLITS, get_source, source_class
from skymoe.errors import UserError
from skymoe.train.feeding import read_groups
from skymoe.train.recipe import Data

GIVEN: dict[str, dict[str, Any]] = {
    "coco": {"annotations": "coco/instances.json", "images": "coco/images"},
    "yolo": {"annotations": "yolo/data.yaml"},
    "voc": {"annotations": "voc"},
    "class-folders": {"images": "scenes"},
    "conversations": {"annotations": "talk/geochat.json", "images": "talk/images"},
    "csv": {"annotations": "tables/boxes.csv", "images": "tables/images"},
}
STRANGE: list[Any] = [
    "", "none", "..", "coco/instances.json", "scenes", "/dev/null", "x" * 5000, "a\0b", "\ud800", "~nobody there/x",
    "a/b", ",", "=", "a=b", "(", "nan,0,1", None, -1, float("nan"), True, [], [1], [[]], {}, {"train": 3}, {3: "a"},
    {"image": []},
]  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("own")
    for miniature in (class_folders, coco, conversations, table, voc, yolo):
        miniature.write(root)
    return root


@pytest.fixture
def here(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Beside the files, not among them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def options(form: str, **more: Any) -> list[str]:
    return [word for name, value in (GIVEN[form] | more).items() for word in ("-o", f"{name}={value}")]


@pytest.mark.parametrize("form", GIVEN)
def test_a_root_is_where_paths_begin(run: Run, files: Path, here: Path, form: str) -> None:
    wanted = ["eval", "--questions", here / "asked", "--data", form, *options(form, split="test")]
    outcome = run(*wanted, "-o", f"root={files}", tiny=False)
    assert outcome.code == 0, outcome.err
    by_root = {path.name: path.read_text() for path in sorted((here / "asked").glob("*.jsonl"))}
    assert by_root

    full = {name: files / value for name, value in GIVEN[form].items()}
    outcome = run(
        "eval", "--questions", here / "full", "--data", form, *options(form, **full, split="test"), tiny=False
    )
    assert outcome.code == 0, outcome.err
    assert {path.name: path.read_text() for path in sorted((here / "full").glob("*.jsonl"))} == by_root


def mistakes(form: str) -> dict[str, str]:
    some = next(iter(GIVEN[form]))
    return {
        f"-o {some}=other": f"--option {some} is given twice",
        "-o root=. -o root=..": "--option root is given twice",
        "-o name=mine": "there is no option 'name'",
        "-o nothing=1": "there is no option 'nothing'",
        "-o self=1": "there is no option 'self'",
        "-o called=a/b": "called='a/b' is no name",
        "-o split=x": "there is no split 'x'",
        "-o root": "must be name=value",
    }


@pytest.mark.parametrize("command", ["eval", "verify", "augment"])
@pytest.mark.parametrize("form", GIVEN)
def test_mistakes_are_one_line_and_code_2(run: Run, files: Path, here: Path, form: str, command: str) -> None:
    for words, said in mistakes(form).items():
        chosen = [*options(form), *shlex.split(words)]
        if "root" not in words:
            chosen += ["-o", f"root={files}"]
        outcome = {
            "eval": lambda chosen=chosen: run(
                "eval", "--data", form, *chosen, "--questions", "asked", tiny=False
            ),
            "verify": lambda chosen=chosen: run("data", "verify", form, *chosen, tiny=False),
            "augment": lambda chosen=chosen: run(
                "augment", "cutout", form, *chosen, "--out", "made", tiny=False
            ),
        }[command]()
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), (words, outcome)
        assert said in outcome.err


@pytest.mark.parametrize("form", GIVEN)
def test_two_roots(run: Run, files: Path, here: Path, form: str) -> None:
    """Beside `-o root`, verify and recipes have a root of their own."""
    said = f"{form}: root is given twice"
    assert said in run("data", "verify", form, *options(form, root="x"), "--root", files, tiny=False).err
    source = {"name": form, "root": str(files), "options": {**GIVEN[form], "root": "x"}}
    recipe = {"name": "mine", "output": "corpus", "tasks": {"count": 1}, "sources": [source]}
    (here / "corpus.yaml").write_text(json.dumps(recipe))  # JSON is YAML
    outcome = run("data", "build", "corpus.yaml", tiny=False)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert said in outcome.err
    with pytest.raises(UserError, match=said):
        read_groups(Data.model_validate({"sources": [source], "questions": {"count": 1}}))


@pytest.mark.parametrize("form", GIVEN)
def test_a_recipe_can_say_anything(files: Path, here: Path, form: str) -> None:
    """Any value of any option is samples or one line."""
    names = [*inspect.signature(source_class(form)).parameters, "root", "name"]
    for name, value in itertools.product(dict.fromkeys(names), STRANGE):
        root = None if name == "root" else files
        assert "\n" not in refusal(form, root, {**GIVEN[form], name: value})


def refusal(form: str, root: Path | None, given: dict[str, Any]) -> str:
    """What is said where all splits can't be read, "" where they can; anything but a UserError goes on."""
    try:
        source = get_source(form, root, **given)
        for split in SPLITS:
            for sample in source.samples(split):
                sample.to_dict()
    except UserError as error:
        return str(error)
    return ""


def test_all_formats_are_here() -> None:
    assert set(GIVEN) == set(FORMATS) - {"samples"}, "a format without options of its own needs no such test"
