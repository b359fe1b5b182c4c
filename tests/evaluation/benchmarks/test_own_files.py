"""A user's own files as benchmarks: what is asked of them, on which pictures, and what can go wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skymoe.errors import UserError
from skymoe.evaluation.benchmarks.own_files import own_benchmarks

SHIPS = 40


@pytest.fixture
def coco(tmp_path: Path) -> dict[str, str]:
    """Pictures of four scenes; the n-th has n % 3 ships, and never a plane."""
    (tmp_path / "images").mkdir()
    images, annotations = [], []
    for n in range(SHIPS):
        name = f"scene{n % 4}_{n}.png"
        Image.new("RGB", (64, 48)).save(tmp_path / "images" / name)
        images.append({"id": n, "file_name": name, "width": 64, "height": 48})
        for k in range(n % 3):
            annotations.append(
                {"id": 10 * n + k, "image_id": n, "category_id": 1, "bbox": [20 * k, 5, 15, 10]}
            )
    categories = [{"id": 1, "name": "ship"}, {"id": 2, "name": "plane"}]
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return {"annotations": str(file), "images": str(tmp_path / "images")}


def recipe(folder: Path, **source: Any) -> str:
    path = folder / "finetune.yaml"
    made = {
        "name": "mine", "output": "runs/mine", "base": {"model": "nano"},
        "data": {"sources": [source], "questions": {"count": 1}},
        "stages": [{"kind": "lora", "name": "a", "steps": 1, "batch_size": 1, "learning_rate": 0.001}],
    }  # fmt: skip
    path.write_text(json.dumps(made))  # JSON is YAML
    return str(path)


def test_each_task_that_something_is_annotated_for(coco: dict[str, str]) -> None:
    found = own_benchmarks("coco", {**coco, "split": "test"})
    assert [one.name for one in found] == ["coco-vqa", "coco-count", "coco-ground"]
    counts = found[1].items()
    asked = {(item.sample.id, item.query.subject): item.query.target for item in counts}
    for (picture, subject), target in asked.items():
        n = int(picture.rpartition("_")[2].removesuffix(".png"))
        assert target == str(n % 3 if subject == "ship" else 0)
    assert len(counts) < 2 * SHIPS, "what is not there is asked at most as often as what is"
    assert {item.query.subject for item in counts} == {"ship", "plane"}
    assert all(item.record()["class"] in ("ship", "plane") for item in counts)


def test_a_recipe_says_what_is_held_out(coco: dict[str, str], tmp_path: Path) -> None:
    options = {**coco, "shares": [0.5, 0.0, 0.5], "group": "^(.+)_"}
    by_recipe = own_benchmarks(recipe(tmp_path, name="coco", **{"as": "ships"}, options=options), {})
    assert [one.name for one in by_recipe] == ["ships-vqa", "ships-count", "ships-ground"]
    by_hand = own_benchmarks("coco", {**coco, "shares": "0.5,0,0.5", "group": "^(.+)_", "called": "ships"})
    for one, other in zip(by_recipe, by_hand, strict=True):
        assert one.items() == other.items()
        train, test = ({item.sample.image for item in one.items(split)} for split in ("train", "test"))
        scenes = [{Path(image).name.partition("_")[0] for image in side} for side in (train, test)]
        assert scenes[0]
        assert scenes[1]
        assert not scenes[0] & scenes[1]


def test_sources_with_a_root(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    line = {"id": "a", "image": "a.png", "source": "s", "split": "test", "licence": "CC0-1.0", "width": 8, "height": 8,
            "label": "port", "labels": ["port", "forest"]}  # fmt: skip
    (folder / "samples.jsonl").write_text(json.dumps(line) + "\n")
    found = own_benchmarks(recipe(tmp_path, name="samples", root=str(folder)), {})
    assert [one.name for one in found] == ["samples-classify", "samples-vqa"]
    assert [item.query.target for item in found[0].items()] == ["port"]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("rsicd", {}, "must be one of coco"),
        ("nowhere.yaml", {}, "no recipe at"),
        ("coco", {"annotations": "nowhere.json"}, "there is no nowhere.json"),
        ("coco", {}, "say annotations="),
    ],
)
def test_what_is_not_there(data: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        own_benchmarks(data, options)


def test_nothing_held_out(coco: dict[str, str]) -> None:
    with pytest.raises(
        UserError, match=r"no picture in the split 'test' \(nothing is held out\): leave the option"
    ):
        own_benchmarks("coco", {**coco, "split": "train"})


def test_options_belong_to_the_recipe(coco: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leave -o out"):
        own_benchmarks(recipe(tmp_path, name="coco", options=coco), {"seed": "1"})
