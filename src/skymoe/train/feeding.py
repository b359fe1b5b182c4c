"""From the data of a recipe to the batches that a stage with a decoder learns from."""

from __future__ import annotations

import logging
from dataclasses import replace
from random import Random
from typing import Any

import torch

from skymoe.data.sources import get_source
from skymoe.errors import UserError
from skymoe.models.skymoe import SkyMoeProcessor
from skymoe.pictures import open_picture
from skymoe.sample import Sample
from skymoe.tasks import TASKS, Query, Task

from .conversation import ConversationEncoder, pack
from .corpus import CorpusItem, read_corpus
from .mixture import Group
from .pixels import TrainingPixels
from .recipe import Data, SourceMix, Stage
from .steps import steps_of

CANONICAL_SHARE = 0.3
log = logging.getLogger(__name__)


def read_groups(data: Data) -> list[Group]:
    """The sources of the mixture, or the corpus as its only one."""
    if data.corpus is not None:
        return [Group("corpus", read_corpus(data.corpus), 1.0)]
    return [_group(mix) for mix in data.sources]


def _group(mix: SourceMix) -> Group:
    source = get_source(mix.name, mix.root, **mix.options)
    items = source.training_items(mix.split)
    if not items:
        raise UserError(f"data.sources: {mix.called!r} has no sample in the split {mix.split!r}")
    return Group(mix.called, items, mix.weight)


def reweighted(groups: list[Group], stage: Stage) -> list[Group]:
    """The groups with the stage's weights, without those of weight 0."""
    unknown = set(stage.weights) - {group.name for group in groups}
    if unknown:
        raise UserError(
            f"stage {stage.name!r}: weights names {min(unknown)!r}, which is not among data.sources"
        )
    weighted = [replace(group, weight=stage.weights.get(group.name, group.weight)) for group in groups]
    kept = [group for group in weighted if group.weight > 0]
    if not kept:
        raise UserError(f"stage {stage.name!r}: every source has weight 0")
    return kept


def askable(groups: list[Group], most: dict[str, int]) -> list[Group]:
    """The groups without samples of which nothing can be asked; how many those are is told.

    Raises:
        UserError: nothing is left of a group.
    """
    kept = []
    for group in groups:
        items = [item for item in group.items if not isinstance(item, Sample) or _can_be_asked(item, most)]
        if not items:
            raise UserError(
                f"data.sources: of {group.name!r} nothing can be asked for {', '.join(most)}: ask other tasks in "
                "data.questions, or leave it out"
            )
        if len(items) < len(group.items):
            left = len(group.items) - len(items)
            log.warning(
                "%s: %d of %d pictures left out, nothing to ask of them", group.name, left, len(group.items)
            )
        kept.append(replace(group, items=items))
    return kept


def _can_be_asked(sample: Sample, most: dict[str, int]) -> bool:
    return any(limit and TASKS[name].queries(sample, Random(0)) for name, limit in most.items())


def length(stage: Stage, groups: list[Group]) -> int:
    """Optimizer steps of a stage."""
    if stage.steps is not None:
        return stage.steps
    assert stage.epochs is not None
    for group in groups:
        if callable(group.items[0]):
            raise UserError(
                f"stage {stage.name!r}: {group.name!r} draws its pictures, so that no epoch of it ends: give steps"
            )
    pictures = sum(len(group.items) for group in groups)
    steps = steps_of(stage.epochs, pictures, stage.batch_size)
    if steps == 0:
        raise UserError(
            f"stage {stage.name!r}: {stage.epochs} epochs of {pictures} pictures are less than one batch of "
            f"{stage.batch_size}: lower batch_size"
        )
    return steps


class Feeding:
    """Makes a picture with its questions ready (`prepare`, in the workers), and a batch of them (`collate`)."""

    def __init__(self, processor: SkyMoeProcessor, pixels: TrainingPixels, most: dict[str, int]) -> None:
        self.pixels, self.most = pixels, most
        self.encoder = ConversationEncoder(processor)
        tokenizer = processor.tokenizer
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id

    def prepare(self, item: Sample | CorpusItem, rng: Random) -> dict[str, Any]:
        """Pixels (3, H, W), the tokens up to the picture, and a turn for each question."""
        if isinstance(item, CorpusItem):
            picture, messages = item.conversation()
            asked, pixel_values = [messages], self.pixels.plain(open_picture(picture))
        else:
            seen, pixel_values = self.pixels(item, rng)
            asked = questions_on(seen, rng, self.most)
            if not asked:  # nothing that is sure of the whole picture is sure of this view of it
                seen, pixel_values = self.pixels(item, rng, whole=True)
                asked = questions_on(seen, rng, self.most)
            if not asked:
                raise UserError(
                    f"{item.source}: nothing can be asked of {item.id} for {', '.join(self.most)}: ask more in "
                    "data.questions, or leave the source out with weight 0"
                )
        turns = [self.encoder.encode(messages) for messages in asked]
        return {"pixel_values": pixel_values, "prefix": turns[0][0], "turns": [turn for _, turn in turns]}

    def collate(self, batch: list[dict[str, Any]]) -> dict[str, Any]:
        packed: dict[str, Any] = dict(pack([(item["prefix"], item["turns"]) for item in batch], self.pad))
        packed["pixel_values"] = torch.stack([item["pixel_values"] for item in batch])
        packed["answers_only"] = True
        return packed


def questions_on(sample: Sample, rng: Random, most: dict[str, int]) -> list[list[dict[str, Any]]]:
    """Conversations on one picture: of each task at most `most[task]` questions, each in its own random wording."""
    chosen: list[list[dict[str, Any]]] = []
    for name, limit in most.items():
        task = TASKS[name]
        asked: list[Any] = []
        # A task gives one random choice at a time where there are several true answers (five captions).
        for _ in range(2 * limit):
            fresh = [query for query in task.queries(sample, rng) if query not in asked]
            asked += rng.sample(fresh, min(len(fresh), limit - len(asked)))
            if len(asked) >= limit:
                break
        chosen += [_worded(task, query, rng) for query in asked]
    return chosen


def _worded(task: Task, query: Query, rng: Random) -> list[dict[str, Any]]:
    # The canonical wording, which the typed commands and the benchmarks use, is practised more than any paraphrase.
    wording = None if rng.random() < CANONICAL_SHARE else rng
    return task.messages(query, wording, with_answer=True)
