"""SPICE is optional: whatever is missing is named, with what would help."""

from __future__ import annotations

from pathlib import Path

import pytest

from skymoe.evaluation.metrics import caption, spice


@pytest.mark.parametrize(
    ("said", "release"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_292"', 8),
        ("no runtime present", None),
    ],
)
def test_the_release_of_java(said: str, release: int | None, tmp_path: Path) -> None:
    program = tmp_path / "java"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\n", encoding="utf-8")
    program.chmod(0o755)
    assert spice.java_release(str(program)) == release


def test_each_missing_part_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pycocoevalcap", reason="the first thing missing would be this")
    monkeypatch.setenv("PATH", "")
    assert "no java on the PATH" in (spice.why_not() or "")
    for release, reason in (("17.0.15", "Java 17: put Java 8"), ("1.8.0_292", "stanford-corenlp")):
        folder = tmp_path / release
        folder.mkdir()
        (folder / "java").write_text(f"#!/bin/sh\necho 'version \"{release}\"' >&2\n", encoding="utf-8")
        (folder / "java").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
        said = spice.why_not()
        if said is not None or release != "1.8.0_292":  # the models may be there
            assert reason in (said or "")


def test_what_cannot_be_had_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = caption.evaluate(["a plane"], [["a plane"]], with_spice=True)
    assert "spice" not in found.metrics
    assert found.notes["spice"].startswith("SPICE needs")
