"""The data sets that can be had as samples, by name. A reader is imported when it is asked for."""

from __future__ import annotations

import difflib
import inspect
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from skymoe.data.sources.base import SPLITS, Quarantined, Source, State, data_root
from skymoe.data.sources.verifying import Verification, check_counts, verify
from skymoe.errors import UserError

SOURCES: dict[str, str] = {
    # captions
    "ucm-captions": "ucm_captions:UcmCaptions",
    "sydney-captions": "sydney_captions:SydneyCaptions",
    "rsicd": "rsicd:Rsicd",
    "rsitmd": "rsitmd:Rsitmd",
    "nwpu-captions": "nwpu_captions:NwpuCaptions",
    "rsicap": "rsicap:RsiCap",
    # questions
    "rsvqa-lr": "rsvqa_lr:RsvqaLr",
    "rsvqa-hr": "rsvqa_hr:RsvqaHr",
    "rsivqa-ucm": "rsivqa:RsivqaUcm",
    "rsivqa-ucm-themes": "rsivqa:RsivqaUcmThemes",
    "rsivqa-rsicd-themes": "rsivqa:RsivqaRsicdThemes",
    "rsivqa-sydney-themes": "rsivqa_parts:RsivqaSydneyThemes",
    "rsivqa-hrrsd": "rsivqa_parts:RsivqaHrrsd",
    "rsivqa-dota": "rsivqa_parts:RsivqaDota",
    # expressions
    "dior-rsvg": "dior_rsvg:DiorRsvg",
    "rsvg": "rsvg:Rsvg",
    "avvg": "avvg:Avvg",
    "rrsis-d": "rrsis_d:RrsisD",
    "vrsbench": "vrsbench:VrsBench",
    # objects
    "rsod": "rsod:Rsod",
    "hrrsd": "hrrsd:Hrrsd",
    "nwpu-vhr10": "nwpu_vhr10:NwpuVhr10",
    "dota": "dota:Dota",
    "visdrone": "visdrone:VisDrone",
    "dior": "dior:Dior",
    "fair1m": "fair1m:Fair1m",
    "airbus-oil-storage": "airbus:AirbusOilStorage",
    # scenes
    "resisc45": "resisc45:Resisc45",
    "aid": "aid:Aid",
    "whu-rs19": "whu_rs19:WhuRs19",
    "uc-merced": "uc_merced:UcMerced",
}
"""The data sets: name → module:class in this package."""

FORMATS: dict[str, str] = {
    "coco": "files.coco:Coco",
    "yolo": "files.yolo:Yolo",
    "voc": "files.voc:Voc",
    "class-folders": "files.class_folders:ClassFolders",
    "conversations": "files.conversations:Conversations",
    "csv": "files.table:Table",
    "samples": "own:OwnSamples",
}
"""The users' own files: readers that have to be told where they are."""


def source_class(name: str) -> type[Source]:
    """The reader of that name; UserError for a name there is none of."""
    known = SOURCES | FORMATS
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise UserError(f"no data source is called {name!r}; {hint}")
    module, _, cls = known[name].partition(":")
    try:
        return getattr(import_module(f"{__name__}.{module}"), cls)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{name}: its reader needs the module {error.name}, which is not installed"
        ) from error


def get_source(name: str, root: str | os.PathLike[str] | None = None, /, **options: Any) -> Source:
    """The source of that name, reading below `root` (default: SKYMOE_DATA, else ../shared/data).

    The readers of the users' own files take options, `get_source("coco", annotations="a.json", images="pics")`; there
    and from the shell `root` may stand among them. Raises UserError for a name there is none of, for options that
    are unknown or lacking, and for two roots.
    """
    # Positional only: options are a user's words, and `name` among them must be refused as any other unknown one.
    root, options = _rooted(name, root, options)
    reader = source_class(name)
    parameters = list(inspect.signature(reader).parameters.values())[1:]
    taken = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    if len(taken) == len(parameters) and (unknown := sorted(set(options) - set(taken))):
        what = f"takes {', '.join(taken)}" if taken else "takes no options"
        raise UserError(f"{name}: there is no option {unknown[0]!r}; it {what}")
    if lacking := [
        p.name for p in parameters if p.default is p.empty and p.name in taken and p.name not in options
    ]:
        raise UserError(f"{name}: say {', '.join(f'{option}=…' for option in lacking)}")
    return reader(root, **options)


def _rooted(
    name: str, root: str | os.PathLike[str] | None, options: dict[str, Any]
) -> tuple[str | os.PathLike[str] | None, dict[str, Any]]:
    """The root, given as such or among the options, and the options without it."""
    within, rest = options.get("root"), {option: options[option] for option in options if option != "root"}
    if root is not None and within is not None:
        raise UserError(f"{name}: root is given twice, {str(root)!r} and {within!r}: leave one of them out")
    root = within if root is None else root
    try:
        if root is not None:
            Path(root).exists()  # a name too long, or with a zero byte in it, can't even be looked for
    except (TypeError, ValueError, OSError) as error:
        raise UserError(f"{name}: root={str(root)[:80]!r} is no path; give a folder") from error
    return root, rest


__all__ = [
    "FORMATS", "SOURCES", "SPLITS", "Quarantined", "Source", "State", "Verification", "check_counts", "data_root",
    "get_source", "source_class", "verify",
]  # fmt: skip
