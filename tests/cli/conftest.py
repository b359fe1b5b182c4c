from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from engine.tiny_model import build, end_often
from skymoe import cli


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained model as files."""
    model, processor = build()
    end_often(model)
    path = tmp_path_factory.mktemp("checkpoint")
    model.half().save_pretrained(path)
    processor.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of different sizes, and three files that are none."""
    path = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(1)
    for name, shape in (("a.png", (60, 80, 3)), ("b.jpg", (200, 31, 3)), ("c.png", (8, 8, 3))):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path / name)
    (path / "text.png").write_text("not a picture")
    (path / "cut.png").write_bytes((path / "a.png").read_bytes()[:300])
    (path / "empty.png").write_bytes(b"")
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkpoint: Path) -> Run:
    """Run the command in this process: `run("count", …, tiny=True)` gives exit code, stdout and stderr."""

    def run(*arguments: object, tiny: bool = True) -> Outcome:
        given = ["skymoe", *map(str, arguments), *(["--model", str(checkpoint)] if tiny else [])]
        monkeypatch.setattr("sys.argv", given)
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        return Outcome(code, *capsys.readouterr())

    return run
