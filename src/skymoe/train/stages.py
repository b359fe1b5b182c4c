"""The stages of a recipe, in order; a finished stage is never repeated, an interrupted one continues."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoProcessor, default_data_collator

from skymoe.data.sources import get_source
from skymoe.errors import UserError
from skymoe.models.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel
from skymoe.models.object_grid import GRID_STRIDE
from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration, SkyMoeProcessor
from skymoe.models.skymoe.modeling_skymoe import IGNORED_LABEL
from skymoe.sample import Sample
from skymoe.tasks import TASKS, Query, Task

from .conversation import ConversationEncoder, pack
from .coordinates import CoordinateLoss
from .mixture import Group, Mixture, Pictures
from .nano import build_config, build_dense_model, build_processor, imagenet_tower, training_texts
from .pixels import TrainingPixels
from .pointing import PointingLoss
from .recipe import AnyStage, DenseStage, ExpertStage, Recipe, TowerStage
from .tower import TowerLoss, TowerTargets, prepare_for_tower
from .trainer import train_stage
from .vocabulary import BOX_TOKENS

CANONICAL_SHARE = 0.3
# The parts of the tower that the stages with a decoder leave as they are, unless `tower_learning_rate` says otherwise.
TAUGHT_BEFORE = ("stem", "stages", "head", "grid", "summary.scene", "summary.word")

log = logging.getLogger(__name__)


class Training:
    """One run of a recipe in `recipe.output`: a folder per stage with its log and, once finished, its model."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.output = recipe.output
        self.groups = [_group(mix.name, mix.split, mix.weight) for mix in recipe.data.sources]

    def run(self) -> Path:
        """Train all stages; returns the folder of the last stage's model."""
        self.processor = self._processor()
        previous: Path | None = None
        for stage in self.recipe.stages:
            target = self.output / stage.name / "model"
            if not target.is_dir():
                log.info("stage %s: %d steps of %d pictures", stage.name, stage.steps, stage.batch_size)
                if isinstance(stage, TowerStage):
                    self._tower(stage, target)
                elif isinstance(stage, DenseStage):
                    self._dense(stage, previous, target)
                else:
                    self._experts(stage, previous, target)
            previous = target
        assert previous is not None
        return previous

    def _processor(self) -> SkyMoeProcessor:
        folder = self.output / "processor"
        if not folder.is_dir():
            samples = [item for group in self.groups for item in group.items if isinstance(item, Sample)]
            texts = training_texts(samples, self.recipe.seed)
            _save(folder, build_processor(texts, self.recipe.model.vocabulary).save_pretrained)
        return AutoProcessor.from_pretrained(folder)

    def _pictures(self, stage: AnyStage, prepare: Callable[[Sample, Random], dict]) -> Pictures:
        # A seed of its own for each stage: else stage II would begin with the very views that stage I began with.
        seed = self.recipe.seed * 1000 + self.recipe.stages.index(stage)
        groups = _reweighted(self.groups, stage)
        return Pictures(Mixture(groups, stage.steps * stage.batch_size, seed), prepare)

    def _pixels(self, stage: AnyStage) -> TrainingPixels:
        return TrainingPixels(self.processor.image_processor, self.recipe.data.views, stage.edits)

    def _tower(self, stage: TowerStage, target: Path) -> None:
        torch.manual_seed(self.recipe.seed)
        samples = [item for group in self.groups for item in group.items if isinstance(item, Sample)]
        targets = TowerTargets(samples, EfficientNetLiteConfig().object_class)
        tower = imagenet_tower(self.recipe.model.vision_weights, targets.lists, targets.words)
        model = TowerLoss(tower, targets)
        side = model.vision_tower.config.image_size // GRID_STRIDE
        pictures = self._pictures(stage, prepare_for_tower(targets, self._pixels(stage), side))
        rate = stage.learning_rate

        def learning_rate_of(name: str) -> float:
            return rate * 5 if name.startswith("vision_tower.summary.") else rate  # these start from nothing

        train_stage(
            self.recipe, stage, model, pictures, default_data_collator, target.parent, learning_rate_of
        )
        _save(target, model.vision_tower.save_pretrained)

    def _dense(self, stage: DenseStage, previous: Path | None, target: Path) -> None:
        if (
            previous is not None
            and AutoConfig.from_pretrained(previous).model_type == SkyMoeConfig.model_type
        ):
            model = SkyMoeForConditionalGeneration.from_pretrained(previous, dtype=torch.float32)
        else:
            model = self._new_dense(previous)
        taught = tuple(f"model.vision_tower.{part}" for part in TAUGHT_BEFORE)

        def learning_rate_of(name: str) -> float:
            return stage.tower_learning_rate if name.startswith(taught) else stage.learning_rate

        for name, parameter in model.named_parameters():
            parameter.requires_grad_(learning_rate_of(name) > 0)
        self._converse(stage, model, target, learning_rate_of)

    def _new_dense(self, tower_folder: Path | None) -> SkyMoeForConditionalGeneration:
        if tower_folder is None:
            tower = imagenet_tower(self.recipe.model.vision_weights)
        else:
            tower = EfficientNetLiteModel.from_pretrained(tower_folder)
        config = build_config(self.recipe.model, self.processor, tower.config)
        coordinates = self.processor.tokenizer.convert_tokens_to_ids(list(BOX_TOKENS))
        return build_dense_model(config, tower, self.recipe.seed, coordinates)

    def _experts(self, stage: ExpertStage, previous: Path | None, target: Path) -> None:
        if previous is None:
            raise UserError(
                f"stage {stage.name!r} upcycles a dense model: put a stage of kind 'dense' before it"
            )
        from skymoe.models.skymoe.upcycling import upcycle

        start = self.output / stage.name / "upcycled"
        if not start.is_dir():
            upcycle(
                previous,
                start,
                num_experts=stage.experts,
                top_k=stage.top_k,
                interval=stage.interval,
                offset=stage.offset,
                seed=self.recipe.seed,
            )
        model = SkyMoeForConditionalGeneration.from_pretrained(start, dtype=torch.float32)
        model.set_experts_implementation(stage.implementation)
        model.config.router_aux_loss_coef = stage.balance
        model.config.output_router_logits = True
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(any(part in name for part in stage.train))
        self._converse(stage, model, target, lambda name: stage.learning_rate)
        shutil.rmtree(start)

    def _converse(
        self,
        stage: DenseStage | ExpertStage,
        model: SkyMoeForConditionalGeneration,
        target: Path,
        learning_rate_of: Callable[[str], float],
    ) -> None:
        encoder = ConversationEncoder(self.processor)
        pad = self.processor.tokenizer.pad_token_id
        most = self.recipe.data.questions | stage.questions
        pixels = self._pixels(stage)

        def prepare(sample: Sample, rng: Random) -> dict[str, Any]:
            seen, pixel_values = pixels(sample, rng)
            asked = questions_on(seen, rng, most)
            if not asked:  # nothing that is sure of the whole picture is sure of this view of it
                seen, pixel_values = pixels(sample, rng, whole=True)
                asked = questions_on(seen, rng, most)
            turns = [encoder.encode(messages) for messages in asked]
            return {"pixel_values": pixel_values, "prefix": turns[0][0], "turns": [turn for _, turn in turns]}

        def collate(batch: list[dict[str, Any]]) -> dict[str, Any]:
            packed: dict[str, Any] = dict(pack([(item["prefix"], item["turns"]) for item in batch], pad))
            packed["pixel_values"] = torch.stack([item["pixel_values"] for item in batch])
            packed["answers_only"] = True
            return packed

        pictures = self._pictures(stage, prepare)
        train_stage(
            self.recipe,
            stage,
            model,
            pictures,
            collate,
            target.parent,
            learning_rate_of,
            self._box_losses(stage, model),
        )
        model.config.output_router_logits = False

        def save(folder: Path) -> None:
            model.save_pretrained(folder)
            self.processor.save_pretrained(folder)

        _save(target, save)

    def _box_losses(
        self, stage: DenseStage | ExpertStage, model: SkyMoeForConditionalGeneration
    ) -> Callable[[dict[str, Tensor], Any], dict[str, Tensor]]:
        tokens = self.processor.tokenizer.convert_tokens_to_ids(list(BOX_TOKENS))
        bell = CoordinateLoss(tokens, stage.coordinate_sigma) if stage.coordinate_sigma else None
        decoder = model.model.language_model
        middle = decoder.config.num_hidden_layers // 2
        pointing = (
            PointingLoss(decoder, tokens, self.processor.image_token_id, middle) if stage.pointing else None
        )

        def losses(inputs: dict[str, Tensor], outputs: Any) -> dict[str, Tensor]:
            found: dict[str, Tensor] = {}
            if bell is not None:
                labels = inputs["labels"][:, 1:]
                found["coordinate_loss"] = bell(outputs["logits"], labels[labels != IGNORED_LABEL])
            if pointing is not None:
                found["pointing_loss"] = stage.pointing * pointing(inputs)
            return found

        return losses


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


def _reweighted(groups: list[Group], stage: AnyStage) -> list[Group]:
    unknown = set(stage.weights) - {group.name for group in groups}
    if unknown:
        raise UserError(
            f"stage {stage.name!r}: weights names {min(unknown)!r}, which is not among data.sources"
        )
    weighted = [replace(group, weight=stage.weights.get(group.name, group.weight)) for group in groups]
    return [group for group in weighted if group.weight > 0]


def _group(name: str, split: str, weight: float) -> Group:
    source = get_source(name)
    return Group(name, source.training_items(split), weight)


def _save(folder: Path, write: Callable[[Path], Any]) -> None:
    """Write into a temporary folder and rename it: a killed run leaves nothing that looks finished."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    write(partial)
    partial.rename(folder)
