"""A reader for each page that is done as it stands: it goes on where its last block ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from docs.pages import Reader


@pytest.fixture(scope="module")
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """For the `PAGE` of the test's module."""
    reader = Reader(tmp_path_factory.mktemp(request.module.PAGE.stem))
    yield reader
    reader.close()
