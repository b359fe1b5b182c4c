"""One picture that every task can be asked about."""

from __future__ import annotations

import pytest

from skymoe.sample import Question, Region, Sample


@pytest.fixture
def sample() -> Sample:
    return Sample(
        id="ucm/1901",
        image="1901.jpg",
        source="ucm",
        split="train",
        licence="public domain",
        width=256,
        height=256,
        captions=("There are two storage tanks .", "Two tanks .", "Two tanks ."),
        label="storagetanks",
        labels=("storagetanks", "river", "tenniscourt"),
        regions=(
            Region("storage tank", (10, 10, 40, 40)),
            Region("storage tank", (150, 140, 230, 220)),
            Region("car", (100, 20, 108, 26)),
        ),
        complete=frozenset({"storage tank", "pond"}),
        absent=frozenset({"ship", "airplane"}),
        questions=(
            Question("Does this picture contain trees?", "yes", "presence"),
            Question("How many  buildings in the picture?", "twenty-one", "count"),
        ),
    )
