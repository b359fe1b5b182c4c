"""Pictures sorted into a folder for each class."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from skymoe.data.sources.files.base import Entry, FileSource, StrPath, split_named
from skymoe.data.sources.files.pictures import Picture, PictureFolder
from skymoe.data.sources.files.reading import wrong


class ClassFolders(FileSource):
    """A folder of pictures for each class, `images/<class>/…`, or for each split and class,
    `images/<split>/<class>/…` (train, val or valid, test).

    The name of the folder is the label; answers use it in plain words ("RailwayStation" → "railway station").
    Pictures may lie deeper inside a class. The labels are the folders of all splits. Files that are no pictures,
    and pictures outside the class folders, are quarantined; hidden files are not looked at.

    Licence: the option's. Splits: the folders, else by hash.
    """

    name = "class-folders"

    def __init__(self, root: StrPath | None = None, *, images: StrPath, **common: Any) -> None:
        super().__init__(root, **common)
        self.images = self.path(images)

    def places(self) -> list[Path]:
        return [self.images]

    def folder_of(self, entry: Entry) -> PictureFolder:
        return self.pictures_in(self.images)

    def entries(self) -> Iterator[Entry]:
        if not self.images.is_dir():
            raise wrong(
                self.images, "is no folder", self.name, "give the folder that the class folders are in"
            )
        labels = self._labels
        for name, damage in self.pictures_in(self.images).files():
            *folders, _ = name.split("/")
            split = split_named(folders[0]) if folders and self._split_folders else None
            label = next(iter(folders[1:] if split else folders), None)
            if not damage and label not in labels:
                damage = "lies in no class folder"
            yield Entry(name, label, split, damage=damage)

    def describe(self, entry: Entry, picture: Picture) -> dict[str, Any]:
        return {"label": entry.content, "labels": self._labels}

    @cached_property
    def _split_folders(self) -> list[Path]:
        """The folders of splits, where all folders are such and hold folders themselves."""
        folders = _folders(self.images)
        named = [folder for folder in folders if split_named(folder.name) and _folders(folder)]
        return named if len(named) == len(folders) else []

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        homes = self._split_folders or [self.images]
        labels = sorted({folder.name for home in homes for folder in _folders(home)})
        if not labels:
            raise wrong(
                self.images, "has no class folders", self.name, "put each class into a folder of its name"
            )
        return tuple(labels)


def _folders(place: Path) -> list[Path]:
    return [path for path in sorted(place.iterdir()) if path.is_dir() and not path.name.startswith(".")]
