from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skymoe.data.corpus.leakage import benchmark_splits, compare, find_leaks, see, write_exclusions
from skymoe.errors import UserError
from skymoe.sample import Sample

from .conftest import Recipe, built, quarantine_of, record, write_samples
from .test_fingerprints import detailed


def sample(folder: Path, name: str, picture: Image.Image) -> Sample:
    path = folder / f"{name}.png"
    picture.save(path)
    return Sample(name, str(path), "drawn", "train", "CC0", picture.width, picture.height)


def test_sizes_and_centres_are_seen_through(tmp_path: Path) -> None:
    aid = [detailed(n) for n in range(8)]
    rsicd = [p.resize((131, 131), Image.Resampling.BICUBIC, box=(38, 38, 562, 562)) for p in aid[:4]]
    small = [p.resize((224, 224)) for p in aid[:2]]
    train = see([sample(tmp_path, f"aid{n}", picture) for n, picture in enumerate(aid)])
    test = see(
        [sample(tmp_path, f"rsicd{n}", p) for n, p in enumerate(rsicd)]
        + [sample(tmp_path, f"small{n}", p) for n, p in enumerate(small)]
    )
    expected = {("aid0", "rsicd0"), ("aid1", "rsicd1"), ("aid2", "rsicd2"), ("aid3", "rsicd3"), ("aid0", "small0"),
                ("aid1", "small1")}  # fmt: skip
    assert {(leak.sample, leak.test) for leak in compare(train, test)} == expected
    assert all(leak.grade == "same picture" for leak in compare(train, test))
    # And the other way round: a corpus of centres against whole test pictures.
    assert {(leak.test, leak.sample) for leak in compare(test, train)} == expected


def test_the_same_place_under_another_light_is_told_apart(tmp_path: Path) -> None:
    one = detailed(1)
    noisy = np.asarray(one).astype(float) * 0.6 + np.asarray(detailed(9)) * 0.25 + 60
    later = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    leaks = compare(see([sample(tmp_path, "a", one)]), see([sample(tmp_path, "b", later)]))
    assert [leak.grade for leak in leaks] in (["same place"], ["same picture"])
    assert not compare(see([sample(tmp_path, "a", one)]), see([sample(tmp_path, "c", detailed(7))]))


def test_an_unreadable_picture_is_counted(tmp_path: Path) -> None:
    good = sample(tmp_path, "good", detailed(1))
    bad = good.replace(id="bad", image=str(tmp_path / "none.png"))
    assert see([good, bad]).unread == 1


def test_check_then_exclude_then_clean(
    recipe: Recipe, tmp_path: Path, samples: Path, miniatures: Path
) -> None:
    """The loop that docs/data.md describes, on a corpus that holds test pictures of the miniature UCM-Captions."""
    root = tmp_path / "data"
    shutil.copytree(miniatures, root)
    tests = json.loads((root / "UCM-Captions/dataset.json").read_text())["images"]
    stems = [entry["filename"].rpartition(".")[0] for entry in tests if entry["split"] == "test"]
    for n, stem in enumerate(stems):  # other pictures than the miniatures' plain ones
        next((root / "UCM-Captions/imgs").glob(f"{stem}.*")).unlink()
        detailed(40 + n, 256).save(root / f"UCM-Captions/imgs/{stem}.png")
    with Image.open(root / f"UCM-Captions/imgs/{stems[0]}.png") as picture:
        picture.resize((96, 96), Image.Resampling.BICUBIC).save(samples / "pictures/3.png")
    corpus, _ = built(recipe(colours=False))
    report = find_leaks(corpus, ["ucm-captions"], root=root, workers=1)
    assert report["leaking"] == {"same picture": 1, "same place": 0}
    listed = tmp_path / "leaks.jsonl"
    assert write_exclusions(report["leaks"], listed) == 1
    assert json.loads(listed.read_text())["sample"] == "s/3"
    built(recipe(colours=False, exclude=[str(listed)]), fresh=True)
    assert find_leaks(corpus, ["ucm-captions"], root=root, workers=1)["leaks"] == []
    assert "ucm" in quarantine_of(corpus)[0]["reason"]


def test_benchmarks_are_the_test_splits_that_are_there(miniatures: Path) -> None:
    found, lacking = benchmark_splits((), miniatures)
    assert ("ucm-captions", "test") in found
    assert "dior" in lacking
    with pytest.raises(UserError):
        benchmark_splits(["dior"], miniatures)


def test_a_corpus_of_nothing_shared_leaks_nothing(recipe: Recipe, tmp_path: Path, miniatures: Path) -> None:
    corpus, _ = built(recipe())
    report = find_leaks(corpus, ["ucm-captions"], root=miniatures, workers=1)
    assert report["leaks"] == []
    assert report["pictures"] == 12
    assert write_samples(tmp_path / "x", [record(0)]).is_dir()
