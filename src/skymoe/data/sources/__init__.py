"""The data sets that can be had as samples, by name."""

from __future__ import annotations

import difflib
import os

from skymoe.data.sources.aid import Aid
from skymoe.data.sources.airbus import AirbusOilStorage
from skymoe.data.sources.base import SPLITS, Source, State, check_counts, data_root
from skymoe.data.sources.rsicd import Rsicd
from skymoe.data.sources.rsivqa import RsivqaRsicdThemes, RsivqaUcm, RsivqaUcmThemes
from skymoe.data.sources.ucm_captions import UcmCaptions
from skymoe.errors import UserError

SOURCES: dict[str, type[Source]] = {
    source.name: source
    for source in (UcmCaptions, Rsicd, Aid, RsivqaUcm, RsivqaUcmThemes, RsivqaRsicdThemes, AirbusOilStorage)
}


def get_source(name: str, root: str | os.PathLike[str] | None = None) -> Source:
    """The source of that name, reading below `root` (default: SKYMOE_DATA, else ../shared/data)."""
    if name not in SOURCES:
        near = difflib.get_close_matches(name, SOURCES, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(SOURCES)}"
        raise UserError(f"no data source is called {name!r}; {hint}")
    return SOURCES[name](root)


__all__ = ["SOURCES", "SPLITS", "Source", "State", "check_counts", "data_root", "get_source"]
