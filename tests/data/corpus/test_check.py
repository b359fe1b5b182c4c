from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skymoe.data.corpus.asking import tagged
from skymoe.data.corpus.checking import check, message_faults, schema_faults
from skymoe.data.corpus.formats import file_digest

from .conftest import Recipe, built, items_of

Change = Callable[[dict[str, Any]], None]


def spoil(corpus: Path, task: str, change: Change, kind: str | None = None) -> str:
    """Change the first item of a task (and kind) and sign the shard again; the id of the item."""
    for path in sorted(corpus.glob("items-*.jsonl")):
        items = [json.loads(text) for text in path.open(encoding="utf-8")]
        for item in items:
            if item["task"] == task and (kind is None or item["answer"]["kind"] == kind):
                change(item)
                path.write_text("".join(json.dumps(each) + "\n" for each in items), encoding="utf-8")
                manifest = json.loads((corpus / "manifest.json").read_text())
                next(s for s in manifest["shards"] if s["file"] == path.name)["sha256"] = file_digest(path)
                (corpus / "manifest.json").write_text(json.dumps(manifest))
                return item["id"]
    raise AssertionError(f"no item of {task}")


def say(item: dict[str, Any], text: str) -> None:
    item["messages"][1]["content"][0]["text"] = text
    item["answer"]["text"] = text


def box(item: dict[str, Any]) -> None:
    say(item, "{<1><1><9><9>}")
    item["answer"]["boxes"] = [[0.96, 0.96, 8.64, 8.64]]


def number(item: dict[str, Any]) -> None:
    say(item, "7")
    item["answer"]["number"] = 7


def outside(item: dict[str, Any]) -> None:
    say(item, "{<90><90><100><100>}")
    item["answer"]["boxes"] = [[90, 90, 120, 120]]


def another(item: dict[str, Any]) -> None:
    item["answer"]["subject"] = "the storage tank"


SPOILT = [
    ("caption", lambda item: say(item, "a caption of nothing ."), "truth"),
    ("classify", lambda item: say(item, "forest"), "truth"),
    ("count", number, "truth"),
    ("ground", box, "phrases"),
    ("ground", outside, "boxes"),
    ("ground", another, "phrases"),
    ("vqa", lambda item: say(item, "perhaps"), "truth"),
    ("caption", lambda item: item["answer"].update(text="other"), "answers"),
    ("caption", lambda item: item.update(images=["../elsewhere.png"]), "schema"),
    ("caption", lambda item: item.update(images=[]), "schema"),
    ("caption", lambda item: item.pop("licence"), "schema"),
    ("caption", lambda item: item.update(sample="s/999"), "samples"),
    ("caption", lambda item: item.update(width=1), "samples"),
]


def test_what_was_built_has_no_faults(recipe: Recipe) -> None:
    corpus, manifest = built(recipe())
    report = check(corpus, workers=1)
    assert report["faults"] == {}, report["first"]
    assert report["items"] == manifest["items"]
    assert {
        "count of boxes",
        "count of what is absent",
        "phrase names one object",
        "scene is annotated",
    } <= set(report["rules"])


@pytest.mark.parametrize(("task", "change", "rule"), SPOILT)
def test_each_kind_of_mistake_is_found(recipe: Recipe, task: str, change: Change, rule: str) -> None:
    corpus, _ = built(recipe())
    identity = spoil(corpus, task, change)
    report = check(corpus, workers=1)
    assert (identity, rule) in {(fault["id"], fault["rule"]) for fault in report["first"]}, report["first"]


def test_shards_pictures_and_counts_that_were_changed_are_found(recipe: Recipe) -> None:
    corpus, _ = built(recipe())
    shard = corpus / "items-00001.jsonl"
    lines = shard.read_text(encoding="utf-8").splitlines(keepends=True)
    shard.write_text("".join(lines[:-1] + lines[:1]), encoding="utf-8")
    picture = next((corpus / "pictures").rglob("*.png"))
    Image.new("RGB", (50, 50)).save(picture)
    next((corpus / "pictures").rglob("1.png")).unlink()
    faults = check(corpus, workers=1)["faults"]
    assert faults["shards"] == 1
    assert faults["ids"] == 1
    assert faults["pictures"] == 2


def test_both_forms_of_messages_keep_the_rules_of_trainers(recipe: Recipe) -> None:
    corpus, _ = built(recipe())
    parts = items_of(corpus)
    for item in parts:
        assert schema_faults(item) == []
    built(recipe(messages="tagged"), fresh=True)
    plain = items_of(corpus)
    for item, same in zip(parts, plain, strict=True):
        assert schema_faults(same) == []
        assert same["messages"] == tagged(item["messages"])
    info = json.loads((corpus / "dataset_info.json").read_text())
    assert {entry["file_name"] for entry in info.values()} == {
        path.name for path in corpus.glob("items-*.jsonl")
    }


def test_a_chat_template_takes_the_messages_as_they_are(recipe: Recipe) -> None:
    """What TRL does with `messages`: the processor's own template, one place for each picture."""
    transformers = pytest.importorskip("transformers")
    import skymoe.models.skymoe  # noqa: F401

    nano = Path(__file__).parents[3] / "src/skymoe/assets/nano"
    processor = transformers.AutoProcessor.from_pretrained(nano)
    corpus, _ = built(recipe())
    for item in items_of(corpus)[:10]:
        text = processor.apply_chat_template(item["messages"], tokenize=False)
        assert text.count(processor.image_token) == len(item["images"])
        assert item["answer"]["text"] in text


def test_llama_factory_and_swift_would_take_the_tagged_messages(recipe: Recipe) -> None:
    """Their readers: roles in turn, contents plain strings, as many `<image>` as pictures."""
    corpus, _ = built(recipe(messages="tagged"))
    for item in items_of(corpus):
        assert [message["role"] for message in item["messages"]] == ["user", "assistant"]
        assert all(isinstance(message["content"], str) for message in item["messages"])
        assert sum(message["content"].count("<image>") for message in item["messages"]) == len(item["images"])


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user", "content": "<image>\nWhat?"}],
        [{"role": "assistant", "content": "<image> a"}, {"role": "user", "content": "b"}],
        [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "no picture"}],
        [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "nothing asked"}],
        [{"role": "user", "content": "<image>\nWhat?"}, {"role": "assistant", "content": " "}],
        [{"role": "user", "content": [{"type": "picture"}]}, {"role": "assistant", "content": "a"}],
    ],
)
def test_messages_no_trainer_could_take_are_faults(messages: list[dict[str, Any]]) -> None:
    assert message_faults(messages, 1)
