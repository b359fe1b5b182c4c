"""What the tests of users' formats share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from skymoe.data.sources import SPLITS, Source, get_source
from skymoe.sample import Sample

Read = Callable[..., tuple[dict[str, Sample], dict[str, str]]]


@pytest.fixture
def read() -> Read:
    """Reads all splits of a source: samples by id, reasons by quarantined entry; each in one split only."""

    def reader(name: str, root: Any, **options: Any) -> tuple[dict[str, Sample], dict[str, str]]:
        source: Source = get_source(name, root, **options)
        samples: dict[str, Sample] = {}
        reasons: dict[str, str] = {}
        for split in SPLITS:
            for sample in source.samples(split):
                assert sample.id not in samples
                assert sample.split == split
                samples[sample.id] = sample
            for quarantined in source.quarantined:
                assert quarantined.entry not in reasons
                assert "\n" not in quarantined.reason
                reasons[quarantined.entry] = quarantined.reason
        return samples, reasons

    return reader
