"""A checkpoint is whole or not there: killed in mid-save, with a full disk, or damaged afterwards."""

import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from skymoe.errors import UserError
from skymoe.train.checkpoints import keep_newest, last_whole, save_whole, sweep, whole, write_list


def make(folder: Path, step: int, **told: object) -> Path:
    place = folder / f"checkpoint-{step}"
    with whole(place, folder / "writing" / place.name) as partial:
        (partial / "deep").mkdir()
        (partial / "weights").write_bytes(b"w" * 1000)
        (partial / "deep" / "moments").write_bytes(b"m" * 500)
        write_list(partial, **told)
    return place


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """The system itself refuses to let a file grow beyond `most` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_the_newest_whole_one_is_found(tmp_path: Path) -> None:
    make(tmp_path, 2)
    make(tmp_path, 10)
    assert last_whole(tmp_path) == tmp_path / "checkpoint-10"
    assert last_whole(tmp_path / "nowhere") is None


@pytest.mark.parametrize("harm", ["truncated", "missing", "no list", "half a list"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, 2)
    newest = make(tmp_path, 4)
    if harm == "truncated":
        os.truncate(newest / "deep" / "moments", 499)
    elif harm == "missing":
        (newest / "weights").unlink()
    elif harm == "no list":
        (newest / "checkpoint.json").unlink()
    else:
        (newest / "checkpoint.json").write_text('{"files": {"wei')
    assert last_whole(tmp_path) == tmp_path / "checkpoint-2"
    assert "checkpoint-4 is damaged" in caplog.text
    make(tmp_path, 4)
    assert last_whole(tmp_path) == tmp_path / "checkpoint-4", "written anew"


def test_killed_at_any_moment_no_half_is_called_a_checkpoint(tmp_path: Path) -> None:
    """A child is killed (SIGKILL) after each of the writes of a checkpoint."""
    for writes in range(4):
        folder = tmp_path / str(writes)
        make(folder, 2)
        child = os.fork()
        if child == 0:
            with whole(folder / "checkpoint-4", folder / "writing" / "checkpoint-4") as partial:
                for number in range(4):
                    if number == writes:
                        os.kill(os.getpid(), signal.SIGKILL)
                    (partial / f"part-{number}").write_bytes(b"x" * 100)
                write_list(partial)
            os._exit(0)
        os.waitpid(child, 0)
        assert last_whole(folder) == folder / "checkpoint-2"
        assert not (folder / "checkpoint-4").exists()
        sweep(folder)
        assert [path.name for path in folder.iterdir()] == ["checkpoint-2"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    make(tmp_path, 2)

    def write(partial: Path) -> None:
        (partial / "small").write_bytes(b"fits")
        save_file({"weight": torch.zeros(100_000)}, partial / "large.safetensors")

    with full_disk(50_000), pytest.raises(UserError, match="make room and run the command again") as caught:
        save_whole(tmp_path / "checkpoint-4", write)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "checkpoint-4").exists()
    assert [path.name for path in tmp_path.glob("*4*")] == []
    assert last_whole(tmp_path) == tmp_path / "checkpoint-2"


def test_torch_s_own_writer_on_a_full_disk(tmp_path: Path) -> None:
    def write(partial: Path) -> None:
        torch.save(torch.zeros(100_000), partial / "optimizer.pt")

    with full_disk(50_000), pytest.raises(UserError, match="make room"):
        save_whole(tmp_path / "checkpoint-4", write)
    assert list(tmp_path.iterdir()) == []


def test_other_errors_pass_and_leave_nothing(tmp_path: Path) -> None:
    def write(partial: Path) -> None:
        (partial / "a").write_bytes(b"a")
        raise KeyError("b")

    with pytest.raises(KeyError):
        save_whole(tmp_path / "model", write)
    assert list(tmp_path.iterdir()) == []


def test_older_ones_go_and_a_half_deleted_one_has_no_name(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        make(tmp_path, step)
    keep_newest(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.glob("*-*")) == ["checkpoint-4", "checkpoint-6"]
    (tmp_path / "checkpoint-4").rename(tmp_path / "deleted-checkpoint-4")  # killed while deleting
    assert last_whole(tmp_path) == tmp_path / "checkpoint-6"
    sweep(tmp_path)
    assert not (tmp_path / "deleted-checkpoint-4").exists()


def test_another_recipe_does_not_go_on_with_it(tmp_path: Path) -> None:
    made = make(tmp_path, 2, batch_size=16, seed=5)
    assert last_whole(tmp_path, batch_size=16, seed=5) == made
    with pytest.raises(UserError, match="batch_size=16, the recipe says 32"):
        last_whole(tmp_path, batch_size=32, seed=5)
    assert json.loads((made / "checkpoint.json").read_text())["told"] == {"batch_size": 16, "seed": 5}
