"""Boxes that the tower itself proposes: a closed list for grounding, of which the decoder's words choose one.

A tower with an object grid sees the objects of one class far more exactly than a small decoder can say them. So a typed
grounding question about that class is answered like one with a closed list of labels: each proposal, written as the
model writes boxes, gets the probability of its whole text, times the root of how sure the tower is of it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

from skymoe import boxes
from skymoe.engine.opened import Opened
from skymoe.engine.prefixes import PrefixStore
from skymoe.tasks import Query
from skymoe.tasks.wording import singularise

PICTURES_KEPT = 1024
PRESENCE_WEIGHT = 0.5  # chosen on validation tiles, where 0 to 1 made little difference


class Proposals:
    """What `model`'s tower proposes on a picture, as texts; nothing where it has no object grid."""

    def __init__(self, model: Any, store: PrefixStore) -> None:
        self.store = store
        self.tower = getattr(model.model, "vision_tower", None)
        self.named = str(getattr(getattr(self.tower, "config", None), "object_class", ""))
        self._kept: OrderedDict[bytes, dict[str, float]] = OrderedDict()

    def of(self, picture: Opened, query: Query) -> dict[str, float]:
        """Box texts, the clearest object first, with what the tower adds to their log-probabilities; empty unless the
        query's phrase is about the class of the grid."""
        if not hasattr(self.tower, "propose") or not self._about(query.subject or ""):
            return {}
        if picture.name not in self._kept:
            self._kept[picture.name] = self._texts(picture)
            while len(self._kept) > PICTURES_KEPT:
                self._kept.popitem(last=False)
        return self._kept[picture.name]

    def _about(self, phrase: str) -> bool:
        words = singularise(" ".join(re.findall(r"[a-z]+", phrase.lower())))
        return bool(self.named) and re.search(rf"\b{re.escape(self.named)}\b", words) is not None

    def _texts(self, picture: Opened) -> dict[str, float]:
        # One picture at a time: what a tower says must not depend on the batch.
        ((found, presence),) = self.tower.propose(self.store.pixels([picture]))  # type: ignore[union-attr]
        width, height = picture.size
        texts: dict[str, float] = {}
        for (x1, y1, x2, y2), present in zip(found.tolist(), presence.log().tolist(), strict=True):
            box = boxes.Box(x1 * width, y1 * height, x2 * width, y2 * height)
            texts.setdefault(boxes.format_box(box, width, height), PRESENCE_WEIGHT * present)
        return texts
