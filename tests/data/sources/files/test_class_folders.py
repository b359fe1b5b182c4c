"""Pictures in class folders, with and without split folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.sources.files.conftest import Read
from data.sources.miniatures import class_folders
from skymoe.data.sources import get_source
from skymoe.errors import UserError
from skymoe.tasks import TASKS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    class_folders.write(tmp_path)
    return tmp_path


def test_folders_are_labels(root: Path, read: Read) -> None:
    samples, reasons = read("class-folders", root, images="scenes")
    assert not reasons
    assert len(samples) == 12
    sample = samples["class-folders/OilTanks/oiltanks_0.png"]
    assert (sample.label, sample.labels) == ("OilTanks", class_folders.CLASSES)
    assert TASKS["classify"].queries(sample)[0].target == "oil tanks"


def test_split_folders(root: Path, read: Read) -> None:
    samples, reasons = read("class-folders", root, images="split-scenes")
    assert not reasons
    assert [sample.split for sample in samples.values()] == ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    assert {sample.labels for sample in samples.values()} == {class_folders.CLASSES}
    # A class that is called as a split is a class where others are not.
    (root / "scenes/test").mkdir()
    assert len(next(iter(read("class-folders", root, images="scenes")[0].values())).labels) == 4


def test_what_is_no_sample_is_said(root: Path, read: Read) -> None:
    scenes = root / "scenes"
    (scenes / "Harbor/notes.txt").write_text("x", encoding="utf-8")
    (scenes / "Harbor/.DS_Store").write_text("x", encoding="utf-8")
    (scenes / "Harbor/Thumbs.db").write_text("x", encoding="utf-8")
    (scenes / "Harbor/harbor_0.png").write_bytes(b"")
    (scenes / "Harbor/deep/er").mkdir(parents=True)
    (scenes / "Harbor/harbor_1.png").rename(scenes / "Harbor/deep/er/b.PNG")
    (scenes / "loose.png").write_bytes((scenes / "Harbor/harbor_2.png").read_bytes())
    (scenes / "Harbor/loop").symlink_to(scenes / "Harbor")
    (scenes / "out.png").symlink_to(root / "split-scenes/test/Harbor/3.png")
    (scenes / "Harbor/out.png").symlink_to(root / "split-scenes/test/Harbor/3.png")
    samples, reasons = read("class-folders", root, images="scenes")
    assert reasons == {
        "Harbor/notes.txt": "is no picture by its suffix",
        "Harbor/harbor_0.png": "picture harbor_0.png is damaged",
        "Harbor/loop": "is a link to a folder (follow_links=True follows it)",
        "Harbor/out.png": "picture Harbor/out.png is a link out of the image folder (follow_links=True allows it)",
        "loose.png": "lies in no class folder",
        "out.png": "lies in no class folder",
    }
    assert samples["class-folders/Harbor/deep/er/b.PNG"].label == "Harbor"
    assert len(samples) == 11
    followed, reasons = read("class-folders", root, images="scenes", follow_links=True)
    assert reasons["Harbor/loop"] == "is a link to a folder that it lies in"
    assert len(followed) == 12


def test_mistakes_are_one_line(root: Path) -> None:
    for images, message in (
        ("nowhere", "class-folders: there is no .*nowhere; give its path"),
        ("scenes/Harbor", "scenes/Harbor has no class folders; put each class into a folder of its name"),
        ("scenes/Harbor/harbor_0.png", "harbor_0.png is no folder; give the folder"),
    ):
        with pytest.raises(UserError, match=message):
            list(get_source("class-folders", root, images=images).samples("train"))


@pytest.mark.data
def test_real_aid_pictures_as_a_users_folder(real: Path, read: Read) -> None:
    """A part of it: 360 pictures of one class; the other twenty-nine are only named."""
    if not (real / "AID/Beach").is_dir():
        pytest.skip(f"no AID in {real}")
    source = get_source("class-folders", real, images="AID", shares=[0.02, 0.0, 0.98], called="mine")
    samples = [sample for sample, _ in zip(source.samples("train"), range(40), strict=False)]
    assert len(samples[0].labels) == 30
    assert all(sample.id.startswith(f"mine/{sample.label}/") for sample in samples)
    assert all(f"/AID/{sample.label}/" in sample.image for sample in samples)
