from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from evaluation.benchmarks import mgrs_style
from skymoe.answer import Answer
from skymoe.data.sources import data_root
from skymoe.evaluation.benchmarks import Item
from skymoe.tasks import Query, get_task

OFFICIAL = (
    "sydney_captions", "rsitmd", "nwpu_captions", "rsvqa_lr", "rsvqa_hr", "dior_rsvg", "rsvg", "avvg", "rrsis_d",
    "vrsbench", "rsod", "hrrsd", "nwpu_vhr10", "dota", "visdrone", "resisc45", "whu_rs19",
)  # fmt: skip
VHR10_TEST = "006"
MINIATURES = Path(__file__).parents[1] / "fixtures" / "data"


class ByPixels:
    """An engine whose answer is a fixed function of pixels and question; it may be made to fail at its n-th call."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.calls: list[tuple[int, int]] = []
        self.fail_at = fail_at

    def answer(
        self, images: Sequence[Any], queries: Sequence[Query], *, constrained: bool = True, num_beams: int = 1
    ) -> list[Answer]:
        if len(self.calls) == self.fail_at:
            raise KeyboardInterrupt
        self.calls.append((len({id(image) for image in images}), len(queries)))
        return [self._one(image, query, num_beams) for image, query in zip(images, queries, strict=True)]

    def _one(self, image: Any, query: Query, num_beams: int) -> Answer:
        seed = sha256(image.tobytes() + f"{query.subject}{num_beams}".encode()).digest()
        number = seed[0] % 4
        texts = {
            "caption": f"there are {number} planes\u2028at the airport .",
            "vqa": ("yes", "no", "airport", "")[number],
            "count": ("1", "2", "three", "no idea")[number],
            "ground": f"{{<{number}><10><60><70>}}",
            "classify": query.labels[seed[1] % len(query.labels)] if query.labels else "",
        }
        width, height = image.size
        answer = get_task(query.task).parse(
            texts[query.task], width=width, height=height, labels=query.labels
        )
        return answer.replace(confidence=seed[2] / 255)


@pytest.fixture
def miniatures() -> Path:
    return MINIATURES


@pytest.fixture(scope="session")
def official_miniatures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with every data set of the paper's benchmarks in small: the checked-in ones and generated ones."""
    root = tmp_path_factory.mktemp("official")
    for name in ("UCM-Captions", "RSICD", "AID"):
        (root / name).symlink_to(MINIATURES / name)
    for name in OFFICIAL:
        import_module(f"data.sources.miniatures.{name}").write(root)
    mgrs_style.write(root)
    # NWPU VHR-10 splits by names, and no picture of it in small falls into its test split; this one does.
    home = root / "NWPU VHR-10 dataset"
    for part, suffix in (("positive image set", "jpg"), ("ground truth", "txt")):
        (home / part / f"{VHR10_TEST}.{suffix}").write_bytes((home / part / f"004.{suffix}").read_bytes())
    return root


@pytest.fixture
def real() -> Path:
    root = data_root()
    if not root.is_dir():
        pytest.skip(f"no real data at {root} (SKYMOE_DATA)")
    return root


@pytest.fixture
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """METEOR takes ten seconds to start; what is tested here does not need it."""
    monkeypatch.setenv("PATH", "")


def perfect(item: Item) -> dict[str, Any]:
    """The prediction line of a model that knows the answers."""
    return {**item.record(), "prediction": item.query.target}
