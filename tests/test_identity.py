"""A checkpoint and a file are what they hold, wherever and however old they are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from skymoe import identity
from skymoe.identity import content, fingerprint


def test_weights_are_named_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = fingerprint(tmp_path)
    (tmp_path / "README.md").write_text("a card decides no answer")
    assert fingerprint(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(b"Weights")
    assert fingerprint(tmp_path) != before


def test_large_weights_are_the_same_when_copied_and_others_when_one_tensor_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_HASHED_WHOLE", 1000)
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    tensors = {f"layers.{n}.weight": torch.zeros(64, 256) for n in range(20)}
    save_file(tensors, one / "model.safetensors")
    shutil.copytree(one, other)
    os.utime(other / "model.safetensors", ns=(1, 1))
    assert fingerprint(other) == fingerprint(one)
    tensors["layers.7.weight"] = torch.full((64, 256), 0.001)  # as a step of training leaves it
    save_file(tensors, other / "model.safetensors")
    assert fingerprint(other) != fingerprint(one)


def test_large_files_of_another_kind_are_read_in_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_HASHED_WHOLE", 1000)
    (tmp_path / "tokenizer.model").write_bytes(bytes(100_000))
    before = fingerprint(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(bytes(50_000) + b"x" * 50_000)
    assert fingerprint(tmp_path) != before


def test_a_file_is_its_content(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"picture")
    b.write_bytes(b"picture")
    os.utime(b, ns=(1, 1))
    assert content(a) == content(b)
    b.write_bytes(b"Picture")
    assert content(a) != content(b)
    assert content(tmp_path / "c") == "missing"
