"""DIOR-RSVG: expressions for objects of DIOR's pictures, split by numbers that depend on an order."""

from __future__ import annotations

from collections.abc import Iterator

from skymoe.data.sources.dior import NAMES
from skymoe.data.sources.expression_source import ExpressionSource, RawExpression
from skymoe.data.sources.object_source import plain
from skymoe.data.sources.objects import DamagedError
from skymoe.data.sources.reading import malformed, read_lines
from skymoe.data.sources.voc_xml import objects_in, read_xml
from skymoe.errors import UserError
from skymoe.sample import Sample


class DiorRsvg(ExpressionSource):
    """DIOR-RSVG (Zhan et al. 2023): 38,320 expressions for objects of 17,402 pictures of DIOR, 800×800 px, 20 classes.

    Layout: ``DIOR_RSVG/Annotations/*.xml`` (Pascal VOC with a ``description`` in each object),
    ``DIOR_RSVG/JPEGImages/*.jpg``, ``DIOR_RSVG/{train,val,test}.txt``; the mirror LittleCollections/DIOR-RSVG holds
    the same. Official split 26,991/3,829/7,500 expressions.

    The split files hold numbers of objects, counted through all XML files in the order in which the authors'
    directory walk happened to return them. Read in the order of names, as everybody does, the three files take
    every object exactly once; that is checked here. One XML too few would shift all numbers after it, so a missing
    or damaged one is an error, not a quarantined entry.

    Licence: research use. Citation: Y. Zhan, Z. Xiong, Y. Yuan: RSVG: exploring data and models for visual grounding
    on remote sensing data, IEEE TGRS 61, 2023. Known faults: the split is by object: a picture may be in train and
    in test with different objects (the leakage check names them); some phrases fit several objects of their
    picture. Not verified here on the real files; public converters report the official counts in the order of names.
    """

    name = "dior-rsvg"
    licence = "research use"
    folder = "DIOR_RSVG"
    also = ("DIOR-RSVG",)
    needs = ("Annotations", "JPEGImages", "train.txt", "val.txt", "test.txt")
    where = "DIOR-RSVG (github.com/ZhanYang-nwpu/RSVG-pytorch)"
    counts = {}  # pictures of a split: not published, and the splits share some
    totals = {"expressions": {"train": 26991, "val": 3829, "test": 7500}}

    def _samples(self, split: str) -> Iterator[Sample]:
        numbers = self._numbers()
        wanted, total = numbers[split], sum(map(len, numbers.values()))
        pictures: list[tuple[str, str, list[RawExpression]]] = []
        start = 0
        for path in sorted((self.home / "Annotations").glob("*.xml")):
            try:
                root = read_xml(path)
                objects = objects_in(root, path)
            except DamagedError as error:
                raise UserError(
                    f"{self.name}: {error}; the split's numbers need every file, get the data set again"
                ) from error
            raw = [
                RawExpression(
                    f"{path.stem}#{number}", one.phrase, one.corners, NAMES.get(plain(one.name), "")
                )
                for number, one in enumerate(objects, start)
                if number in wanted
            ]
            start += len(objects)
            if raw:
                pictures.append((path.stem, (root.findtext("filename") or f"{path.stem}.jpg").strip(), raw))
        if start != total:  # said before a single sample is given with the wrong number
            raise UserError(
                f"{self.name}: {start:,} objects in Annotations, but the split files number {total:,}; get the data"
                " set again"
            )
        for stem, filename, raw in pictures:
            sample = self.picture(stem, self.home / "JPEGImages" / filename, split, raw)
            if sample is not None:
                yield sample

    def _numbers(self) -> dict[str, set[int]]:
        """The numbers of each split; together they must be 0, 1, 2, …"""
        found: dict[str, set[int]] = {}
        for split in self.splits:
            path = self.home / f"{split}.txt"
            lines = read_lines(path, self.name)
            try:
                found[split] = {int(line) for line in lines}
            except ValueError as error:
                raise malformed(path, "a line is not the number of an object", self.name) from error
        every = set().union(*found.values())
        if every != set(range(sum(map(len, found.values())))):
            raise UserError(
                f"{self.name}: train.txt, val.txt and test.txt in {self.home} don't number every object once; get the"
                " data set again"
            )
        return found
