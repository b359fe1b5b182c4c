from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="augmentation needs OpenCV: pip install 'skymoe[augment]'")

from tests.augment.pictures import grid, scene

from skymoe.augment import Settings, build, recheck
from skymoe.augment.folder import read_samples
from skymoe.augment.sheets import sheets
from skymoe.data.sources import get_source
from skymoe.errors import UserError
from skymoe.sample import Sample


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Eleven drawn samples, one of them with a single object, one whose picture is gone."""
    folder = tmp_path_factory.mktemp("drawn")
    found = []
    for number in range(11):
        sample, pixels = scene(
            grid(2 + number % 3, 2) if number != 4 else [(60, 60)], size=(200, 120), seed=number
        )
        path = folder / f"{number}.png"
        if number != 6:
            Image.fromarray(pixels).save(path)
        found.append(sample.replace(id=f"drawn/{number}", image=str(path)))
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_all_samples_are_accounted_for_and_all_that_is_written_is_true(
    samples: list[Sample], tmp_path: Path
) -> None:
    report = build(samples, tmp_path / "out", Settings("cutout"), source="drawn")
    assert report["samples_in"] == 11 == report["samples_edited"] + sum(report["refused"].values())
    assert report["refused"] == {"one object only": 1, "picture cannot be read": 1}
    assert "6.png" in report["unread"][0]
    assert report["acceptance"] == 1.0
    assert recheck(tmp_path / "out") == {"checked": report["pictures_made"], "faulty": 0, "faults": {}}
    written = list(read_samples(tmp_path / "out"))
    assert len(written) == report["pictures_made"] + report["samples_edited"]
    # Each pair: the original first, then its variants.
    assert all(sample.pair is not None and sample.window is None for sample in written)
    assert not written[0].edits
    assert written[1].edits
    assert written[1].pair == written[0].id
    assert not (tmp_path / "out" / "parts").exists()


def test_one_process_and_two_write_the_same_bytes(samples: list[Sample], tmp_path: Path) -> None:
    for workers in (1, 2):
        build(samples, tmp_path / str(workers), Settings("cutout", seed=3), source="drawn", workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_stopped_run_goes_on_and_ends_in_the_same_bytes(samples: list[Sample], tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    build(samples, whole, Settings("cutout"), source="drawn")

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(samples, stopped, Settings("cutout"), source="drawn", watch=stop)
    (part,) = (stopped / "parts").iterdir()
    before = part.stat().st_mtime_ns
    assert not (stopped / "samples.jsonl").exists()
    seen: list[int] = []
    os.utime(part, ns=(before, before))
    build(samples, stopped, Settings("cutout"), source="drawn", watch=seen.append)
    assert sum(seen) == 11
    assert contents(whole) == contents(stopped)
    # And once more: nothing is left to do.
    assert build([], stopped, Settings("cutout"), source="drawn")["samples_in"] == 11


def test_another_run_does_not_write_into_the_folder(samples: list[Sample], tmp_path: Path) -> None:
    build(samples[:2], tmp_path / "out", Settings("cutout"), source="drawn")
    with pytest.raises(UserError, match="was begun with seed 0, now it is 1"):
        build(samples[:2], tmp_path / "out", Settings("cutout", seed=1), source="drawn")
    report = build(samples[:2], tmp_path / "out", Settings("cutout", seed=1), source="drawn", fresh=True)
    assert report["seed"] == 1
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(UserError, match="holds other files"):
            build(samples[:2], tmp_path / "own", Settings("cutout"), source="drawn", fresh=fresh)
    assert (tmp_path / "own" / "thesis.txt").read_text() == "mine"


def test_an_id_that_comes_twice_is_a_mistake(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the id 'drawn/0' comes twice"):
        build([samples[0], samples[0]], tmp_path / "out", Settings("cutout"), source="drawn")
    assert not (tmp_path / "out" / "samples.jsonl").exists()


def test_recheck_finds_a_picture_that_was_changed_afterwards(samples: list[Sample], tmp_path: Path) -> None:
    build(samples[:2], tmp_path, Settings("cutout"), source="drawn")
    victim = next(sample for sample in read_samples(tmp_path) if sample.edits)
    pixels = np.asarray(Image.open(tmp_path / victim.image)).copy()
    x1, y1, *_ = (int(v) for v in victim.edits[0].before[0].box)
    pixels[y1 + 3, x1 + 3] = 200
    Image.fromarray(pixels).save(tmp_path / victim.image)
    assert recheck(tmp_path)["faults"] == {victim.id: ["mask: a masked object is not zero"]}


def test_the_reader_reads_what_is_written(samples: list[Sample], tmp_path: Path) -> None:
    report = build(samples, tmp_path, Settings("cutout"), source="drawn")
    source = get_source("samples", tmp_path)
    found = list(source.samples("train"))
    assert source.quarantined == []
    assert len(found) == report["pictures_made"] + report["samples_edited"]
    assert all(Path(sample.image).is_file() and Path(sample.image).is_absolute() for sample in found)
    assert [s.replace(image="") for s in found] == [s.replace(image="") for s in read_samples(tmp_path)]


def test_sheets_are_drawn_and_the_same_each_time(samples: list[Sample], tmp_path: Path) -> None:
    build(samples[:4], tmp_path, Settings("cutout"), source="drawn")
    (first,) = sheets(tmp_path)
    content = first.read_bytes()
    assert Image.open(first).size[0] > 500
    assert sheets(tmp_path)[0].read_bytes() == content
    assert json.loads((tmp_path / "augment.json").read_text())["finished"] is True
