from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skymoe.data.corpus import build as building
from skymoe.data.corpus.recipe import load_corpus_recipe
from skymoe.errors import UserError

from .conftest import Recipe, built, files_of, items_of, quarantine_of, record, write_samples


class StoppedError(Exception):
    """Stands for whatever ends a build."""


def test_every_item_has_the_keys_of_the_agreement(recipe: Recipe) -> None:
    corpus, manifest = built(recipe())
    items = items_of(corpus)
    assert len(items) == manifest["items"] > 60
    assert {tuple(item) for item in items} == {
        ("id", "messages", "images", "task", "granularity", "source", "licence", "split", "pair", "sample", "width",
         "height", "answer")
    }  # fmt: skip
    assert {item["task"] for item in items} == {"caption", "classify", "vqa", "count", "ground"}
    assert {item["granularity"] for item in items} == {"image", "region", "object"}
    assert len({item["id"] for item in items}) == len(items)
    assert all((corpus / image).is_file() for item in items for image in item["images"])


def test_the_same_bytes_whatever_the_number_of_workers(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "CHUNK", 5)
    corpus, _ = built(recipe(), workers=1)
    alone = files_of(corpus)
    built(recipe(), workers=2, fresh=True)
    assert files_of(corpus) == alone


def test_another_seed_asks_otherwise(recipe: Recipe) -> None:
    first = items_of(built(recipe())[0])
    second = items_of(built(recipe(seed=6), fresh=True)[0])
    assert [item["id"] for item in first] != [item["id"] for item in second]
    assert {item["messages"][0]["content"][1]["text"] for item in first} != {
        item["messages"][0]["content"][1]["text"] for item in second
    }


def test_a_build_stopped_anywhere_goes_on_to_the_same_bytes(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "CHUNK", 3)
    corpus, _ = built(recipe(), workers=1)
    whole = files_of(corpus)
    stops = 0
    for step in ("reading", "storing", "writing"):
        for after in (0, 2):

            def watch(
                name: str, _total: int | None, step: str = step, after: int = after
            ) -> building.Advance:
                told = 0

                def advance(_more: int) -> None:
                    nonlocal told
                    told += 1
                    if name.startswith(step) and told > after:
                        raise StoppedError

                return advance

            try:
                built(recipe(), fresh=stops == 0, watch=watch)
            except StoppedError:
                stops += 1
    assert stops >= 5
    built(recipe())
    assert files_of(corpus) == whole


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_kill_9_leaves_nothing_that_looks_finished(recipe: Recipe, tmp_path: Path, samples: Path) -> None:
    write_samples(samples, [record(number) for number in range(300)])
    path = recipe()
    corpus = load_corpus_recipe(path).output
    command = [sys.executable, "-m", "skymoe", "data", "build", str(path), "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(corpus.glob(".work/000/*.npz")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    process.kill()
    process.wait()
    built(path)
    resumed = files_of(corpus)
    built(path, fresh=True)
    assert files_of(corpus) == resumed
    assert not list(corpus.rglob("*.part"))


def test_counts_in_are_counts_out_and_what_is_told(recipe: Recipe, samples: Path) -> None:
    bad = [
        record(20, width=50),  # not as large as its picture
        record(21, regions=[{"name": "storage tank", "box": [90, 90, 140, 140]}]),
        record(22, regions=[{"name": "storage tank", "box": [9, 9, 9, 30]}]),
        record(23, captions=[], label=None, regions=[], complete=[], absent=[], questions=[]),
        record(24, captions=["look at <image> here"]),
        record(25),
    ]
    write_samples(samples, [*(record(n) for n in range(6)), *bad])
    whole = samples / "pictures" / "25.png"
    whole.write_bytes(whole.read_bytes()[:-400])
    corpus, manifest = built(recipe(sources=[{"name": "samples", "root": str(samples), "cap": 20}]))
    told = manifest["sources"][0]
    for level in ("entries", "samples", "items"):
        counts = dict(told[level])
        assert counts.pop("in") == sum(counts.values()), level
    assert told["entries"]["in"] == 12
    lost = quarantine_of(corpus)
    by_level = {
        level: [one for one in lost if one["level"] == level] for level in ("entry", "sample", "item")
    }
    assert len(by_level["entry"]) == told["entries"]["quarantined"]
    assert len(by_level["sample"]) == told["samples"]["in"] - told["samples"]["out"]
    assert len(by_level["item"]) == told["items"]["in"] - told["items"]["out"] > 0
    assert all(one["reason"] and one["why"] for one in lost)
    reasons = {one["id"].partition("#")[0]: one["reason"] for one in by_level["sample"] + by_level["entry"]}
    assert "reaches out of the 96×96 picture" in reasons["s/21"]
    assert "has no area" in reasons["s/22"]
    assert "answers a question" in reasons["s/23"]
    assert "damaged or truncated" in reasons["s/25"]
    assert any(
        one["id"].startswith("s/24#caption") and "<image>" in one["reason"] for one in by_level["item"]
    )
    assert told["items"]["out"] == 20


def test_duplicates_are_the_same_question_on_the_same_picture(recipe: Recipe, samples: Path) -> None:
    from PIL import Image

    again = record(30, captions=["another caption of the same picture ."])
    write_samples(samples, [record(0), again])
    with Image.open(samples / "pictures/0.png") as picture:
        picture.resize((200, 200), Image.Resampling.BICUBIC).resize((96, 96)).save(
            samples / "pictures/30.png"
        )
    near = built(recipe())[1]
    exact = built(recipe(duplicates="exact"), fresh=True)[1]
    kept = built(recipe(duplicates="keep"), fresh=True)[1]
    assert near["totals"]["items"]["duplicate"] >= 3  # scene, counts, boxes: but not the other caption
    assert near["tasks"]["caption"] == 2
    assert exact["totals"]["items"]["duplicate"] == kept["totals"]["items"]["duplicate"] == 0


def test_excluded_samples_stay_out_and_are_told(recipe: Recipe, tmp_path: Path) -> None:
    leaks = tmp_path / "leaks.jsonl"
    leaks.write_text(
        '{"source": "drawn", "sample": "s/3", "reason": "same picture as test/9"}\n', encoding="utf-8"
    )
    corpus, manifest = built(recipe(exclude=[str(leaks)]))
    assert manifest["sources"][0]["samples"]["excluded"] == 1
    assert not any(item["sample"] == "s/3" for item in items_of(corpus))
    assert quarantine_of(corpus)[0]["reason"] == "same picture as test/9"


def test_a_longer_exclusion_list_is_another_corpus(recipe: Recipe, tmp_path: Path) -> None:
    leaks = tmp_path / "leaks.jsonl"
    leaks.write_text('{"source": "drawn", "sample": "s/3", "reason": "leaks"}\n', encoding="utf-8")
    path = recipe(exclude=[str(leaks)])
    built(path)
    leaks.write_text(leaks.read_text() + '{"source": "drawn", "sample": "s/4", "reason": "leaks"}\n')
    with pytest.raises(UserError, match="--fresh"):
        built(path)
    manifest = built(path, fresh=True)[1]
    assert manifest["sources"][0]["samples"]["excluded"] == 2
    leaks.unlink()
    with pytest.raises(UserError, match=r"leaks\.jsonl cannot be read"):
        built(path)


def test_what_changed_between_two_runs_is_made_again(
    recipe: Recipe, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "CHUNK", 4)

    def stop(_name: str, _total: int | None) -> building.Advance:
        told = 0

        def advance(_more: int) -> None:
            nonlocal told
            told += 1
            if told == 3:
                raise StoppedError

        return advance

    with pytest.raises(StoppedError):
        built(recipe(), watch=stop)
    write_samples(samples, [record(n, captions=["told anew ."]) if n == 1 else record(n) for n in range(12)])
    corpus, _ = built(recipe())
    resumed = files_of(corpus)
    assert b"told anew" in resumed["samples.jsonl"]
    built(recipe(), fresh=True)
    assert files_of(corpus) == resumed


def test_an_absent_source_is_an_error_or_skipped_with_its_reason(
    recipe: Recipe, samples: Path, tmp_path: Path
) -> None:
    sources = [{"name": "samples", "root": str(samples)}, {"name": "dior", "root": str(tmp_path)}]
    with pytest.raises(UserError, match="dior"):
        built(recipe(sources=sources))
    _, manifest = built(recipe(sources=sources, absent="skip"))
    assert [one["source"] for one in manifest["skipped"]] == ["dior"]
    assert manifest["skipped"][0]["reason"]


def test_another_recipe_does_not_mix_with_what_is_there(recipe: Recipe) -> None:
    corpus, _ = built(recipe())
    with pytest.raises(UserError, match="--fresh"):
        built(recipe(seed=9))
    before = os.stat(corpus / "items-00000.jsonl").st_mtime_ns
    built(recipe())  # the same again: nothing to do
    assert os.stat(corpus / "items-00000.jsonl").st_mtime_ns == before


def test_a_folder_of_something_else_is_left_alone(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "thesis.txt").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(UserError, match="corpus"):
            built(recipe(), fresh=fresh)
    assert (tmp_path / "corpus" / "thesis.txt").read_text() == "mine"


def test_parquet_holds_the_same_items(recipe: Recipe) -> None:
    pytest.importorskip("pyarrow")
    from skymoe.data.corpus.formats import read_shard

    corpus, _ = built(recipe())
    lines = items_of(corpus)
    built(recipe(format="parquet"), fresh=True)
    rows = [item for path in sorted(corpus.glob("items-*.parquet")) for item in read_shard(path)]
    assert rows == lines


def test_a_corpus_is_a_source_of_samples(recipe: Recipe) -> None:
    from skymoe.data.sources import get_source

    corpus, manifest = built(recipe())
    source = get_source("samples", corpus)
    assert len(list(source.samples("train"))) == manifest["samples"] == 12
    assert not source.quarantined
