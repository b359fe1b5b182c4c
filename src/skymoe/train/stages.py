"""The stages of a recipe, in order; a finished stage is never repeated, an interrupted one continues."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor
from transformers import default_data_collator

from skymoe.errors import UserError
from skymoe.models.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel
from skymoe.models.object_grid import GRID_STRIDE
from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration
from skymoe.models.skymoe.modeling_skymoe import IGNORED_LABEL
from skymoe.models.whole_weights import read_config, read_model, read_processor
from skymoe.outputs import alone_in
from skymoe.sample import Sample

from .adapters import merge
from .basing import check_stages, open_base
from .checkpoints import finished, save_whole
from .coordinates import CoordinateLoss
from .expert_watch import ExpertWatch
from .feeding import Feeding, askable, length, read_groups, reweighted
from .learning import TAUGHT_BEFORE, load_trained, prepare, rates, trained_state
from .mixture import Group, Mixture, Pictures
from .nano import build_config, build_dense_model, build_processor, imagenet_tower, training_texts
from .origins import base_origin, data_origin
from .pixels import TrainingPixels
from .pointing import PointingLoss
from .processes import by_one, sharding, shares, state
from .recipe import (
    RSMOE_STAGES,
    AnswerStage,
    AnyStage,
    EncoderStage,
    ExpertStage,
    Recipe,
    SpecialistStage,
    Stage,
    TowerStage,
)
from .records import Records
from .rsmoe.beginning import open_rsmoe_base
from .rsmoe.running import train_encoder, train_specialists
from .step_zero import StepZero
from .tower import TowerLoss, TowerTargets, prepare_for_tower
from .trainer import train_stage, use_bf16
from .vocabulary import BOX_TOKENS

log = logging.getLogger(__name__)


class Training:
    """One run of a recipe in `recipe.output`: a folder per stage with its log and, once finished, its model.

    `given` names its first stages, where another training has made them: their models lie in their folders.
    """

    def __init__(self, recipe: Recipe, given: Collection[str] = ()) -> None:
        self.recipe, self.given = recipe, given
        self.output = recipe.output
        check_stages(recipe)  # what is wrong with a stage is said before anything is read
        self.groups = read_groups(recipe.data)
        self._mixtures: dict[str, list[Group]] = {}
        self.bf16 = use_bf16(recipe.precision)
        self._dtype = torch.bfloat16 if self.bf16 and recipe.base is not None else torch.float32

    def run(self) -> Path:
        """Train all stages; returns the folder of the last stage's model.

        Raises:
            UserError: what lies in the output was made by another recipe, from another base or other data; or another
                process is training into it.
        """
        for stage in self.recipe.stages:  # what is wrong with a later stage is said before hours are spent
            shares(stage, state().num_processes)
            length(stage, self.mixed(stage))
        with alone_in(self.output) if state().is_main_process else nullcontext():
            return self._stages()

    def _stages(self) -> Path:
        records = Records(self.recipe, self._origins, self.given)
        by_one(records.open)
        previous: str | None = None
        if self.recipe.base is not None and isinstance(self.recipe.stages[0], RSMOE_STAGES):
            previous = open_rsmoe_base(self.recipe.base, self.output)
        elif self.recipe.base is not None:
            previous, self.processor = open_base(self.recipe.base, self.output)
        else:
            self.processor = self._processor()
        target = self.output
        for number, stage in enumerate(self.recipe.stages):
            target = self.output / stage.name / "model"
            if stage.name not in self.given:
                by_one(partial(records.begin, number, previous))
            if not finished(target):
                steps = length(stage, self.mixed(stage))
                log.info("stage %s: %d steps of %d pictures", stage.name, steps, stage.batch_size)
                self._run(stage, previous, target)
                state().wait_for_everyone()
            previous = str(target)
        return target

    def _origins(self) -> dict[str, str]:
        return base_origin(self.recipe) | data_origin(self.recipe.data, self.groups)

    def _run(self, stage: AnyStage, previous: str | None, target: Path) -> None:
        """One stage, by its kind: from `previous`, the model before it, to its model in `target`."""
        match stage:
            case TowerStage():
                self._tower(stage, target)
            case EncoderStage():
                train_encoder(self, stage, previous, target)
            case SpecialistStage():
                train_specialists(self, stage, previous, target)
            case _:
                self._answers(stage, previous, target)

    def _processor(self) -> Any:
        folder = self.output / "processor"

        def make() -> None:
            assert self.recipe.model is not None
            if folder.is_dir():
                return
            samples = [item for group in self.groups for item in group.items if isinstance(item, Sample)]
            texts = training_texts(samples, self.recipe.seed)
            built = build_processor(texts, self.recipe.model.vocabulary)
            save_whole(folder, built.save_pretrained)

        by_one(make)
        return read_processor(folder)

    def mixed(self, stage: AnyStage) -> list[Group]:
        """The sources as this stage mixes them. Own data may hold pictures that nothing can be asked about."""
        if stage.name not in self._mixtures:
            groups = reweighted(self.groups, stage)
            if self.recipe.base is not None:
                groups = askable(groups, self.recipe.data.questions | stage.questions)
            self._mixtures[stage.name] = groups
        return self._mixtures[stage.name]

    def pictures(self, stage: AnyStage, prepare_one: Callable[[Any, Random], dict]) -> Pictures:
        """The pictures of a stage in their order, each made ready by `prepare_one`."""
        # A seed of its own for each stage: else stage II would begin with the very views that stage I began with.
        seed = self.recipe.seed * 1000 + self.recipe.stages.index(stage)
        groups = self.mixed(stage)
        block = stage.batch_size if self.recipe.data.corpus is not None else 1
        return Pictures(
            Mixture(groups, length(stage, groups) * stage.batch_size, seed), prepare_one, block=block
        )

    def pixels(self, stage: AnyStage) -> TrainingPixels:
        """How this stage sees a sample; with the processor of the model at hand."""
        return TrainingPixels(self.processor.image_processor, self.recipe.data.views, stage.edits)

    def _tower(self, stage: TowerStage, target: Path) -> None:
        assert self.recipe.model is not None
        torch.manual_seed(self.recipe.seed)
        samples = [item for group in self.groups for item in group.items if isinstance(item, Sample)]
        targets = TowerTargets(samples, EfficientNetLiteConfig().object_class)
        tower = imagenet_tower(self.recipe.model.vision_weights, targets.lists, targets.words)
        model = TowerLoss(tower, targets)
        side = model.vision_tower.config.image_size // GRID_STRIDE
        pictures = self.pictures(stage, prepare_for_tower(targets, self.pixels(stage), side))
        rate = stage.learning_rate

        def learning_rate_of(name: str) -> float:
            return rate * 5 if name.startswith("vision_tower.summary.") else rate  # these start from nothing

        train_stage(
            self.recipe, stage, model, pictures, default_data_collator, target.parent, learning_rate_of
        )
        by_one(lambda: save_whole(target, model.vision_tower.save_pretrained))
        self.clear(stage)

    def _answers(self, stage: AnswerStage, previous: str | None, target: Path) -> None:
        feeding = Feeding(self.processor, self.pixels(stage), self.recipe.data.questions | stage.questions)
        pictures = self.pictures(stage, feeding.prepare)
        start, zero = previous, None
        if isinstance(stage, ExpertStage):
            start = self._upcycled(stage, previous)
            if start != previous:
                zero = self._zero(str(previous), Path(start), feeding, pictures)
        model = self._load(stage, start)
        rate_of = rates(stage, model.config.vision_config.model_type)
        tuner = prepare(stage, model, rate_of, self.recipe.seed)
        watch = None
        if model.config.num_experts:
            if isinstance(stage, ExpertStage):
                model.set_experts_implementation(stage.implementation)
                model.config.router_aux_loss_coef = stage.balance
            model.config.output_router_logits = True
            place, now = self.recipe.stages.index(stage), model.config.router_aux_loss_coef
            watch = ExpertWatch(
                model.config.expert_layers,
                f"raise stages.{place}.balance (now {now}), or lower stages.{place}.learning_rate",
            )
        train_stage(
            self.recipe,
            stage,
            model,
            pictures,
            feeding.collate,
            target.parent,
            rate_of,
            self._box_losses(stage, model),
            watch,
            zero,
        )
        kept_as = self._dtype
        learnt = trained_state(model) if self._shared(stage, start) is not None else None

        def save(folder: Path) -> None:
            unmerged, adapters = model, tuner
            if learnt is not None:  # the first process has it all in its memory, once
                assert start is not None
                unmerged = self._from(start, kept_as)
                adapters = prepare(stage, unmerged, rate_of, self.recipe.seed)
                load_trained(unmerged, learnt, source=start)
            merged = merge(adapters) if adapters is not None else unmerged
            merged.config.output_router_logits = False
            merged.to(kept_as).save_pretrained(folder)
            self.processor.save_pretrained(folder)

        by_one(lambda: save_whole(target, save))
        self.clear(stage)

    def _shared(self, stage: AnswerStage, start: str | None) -> Any:
        """How the weights of a stage's model are shared out; None where each process has them all."""
        if start is None or self.recipe.parallel == "ddp":
            return None
        return sharding(self.recipe.parallel, read_config(start).num_experts, self.bf16)

    def _from(self, start: str, dtype: torch.dtype, shared: Any = None) -> SkyMoeForConditionalGeneration:
        more = {} if shared is None else {"distributed_config": shared}
        return read_model(SkyMoeForConditionalGeneration, start, dtype=dtype, **more)

    def _zero(
        self, dense: str, upcycled: Path, feeding: Feeding, pictures: Pictures
    ) -> Callable[[], StepZero]:
        return lambda: StepZero(dense, upcycled, feeding.collate([pictures[0]]), self.bf16)

    def _load(self, stage: AnswerStage, start: str | None) -> SkyMoeForConditionalGeneration:
        """The model a stage begins with, on the CPU. What learns becomes float32 later; the rest of a base computes in
        bfloat16 where the processor does, and is kept so, sharded or not."""
        if start is None or read_config(start).model_type != SkyMoeConfig.model_type:
            return self._new_dense(start)
        shared = self._shared(stage, start)
        return self._from(start, self._dtype, shared)

    def _new_dense(self, tower_folder: str | None) -> SkyMoeForConditionalGeneration:
        assert self.recipe.model is not None
        if tower_folder is None:
            tower = imagenet_tower(self.recipe.model.vision_weights)
        else:
            tower = read_model(EfficientNetLiteModel, tower_folder)
        config = build_config(self.recipe.model, self.processor, tower.config)
        coordinates = self.processor.tokenizer.convert_tokens_to_ids(list(BOX_TOKENS))
        return build_dense_model(config, tower, self.recipe.seed, coordinates)

    def _upcycled(self, stage: ExpertStage, previous: str | None) -> str:
        """The folder of the model with experts; `previous` itself where it has them already."""
        if previous is None or read_config(previous).model_type != SkyMoeConfig.model_type:
            raise UserError(
                f"stage {stage.name!r} upcycles a dense model: put a stage of kind 'dense' before it"
            )
        if read_config(previous).num_experts:
            return previous
        from skymoe.models.skymoe.upcycling import upcycle

        start = self.output / stage.name / "upcycled"

        def make() -> None:
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

        by_one(make)
        return str(start)

    def clear(self, stage: Stage) -> None:
        """What only an unfinished stage needs."""

        def remove() -> None:
            for name in ("checkpoints", "upcycled", "start", "parts"):
                shutil.rmtree(self.output / stage.name / name, ignore_errors=True)
            (self.output / stage.name / "upcycled.step0.pt").unlink(missing_ok=True)

        by_one(remove)

    def _box_losses(
        self, stage: AnswerStage, model: SkyMoeForConditionalGeneration
    ) -> Callable[[dict[str, Tensor], Any], dict[str, Tensor]] | None:
        if not stage.coordinate_sigma and not stage.pointing:
            return None
        vocabulary = self.processor.tokenizer.get_vocab()
        if missing := [token for token in BOX_TOKENS if token not in vocabulary]:
            raise UserError(
                f"stage {stage.name!r}: coordinate_sigma and pointing need a token for each coordinate, and the "
                f"tokenizer has no {missing[0]}: leave them out"
            )
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


__all__ = ["TAUGHT_BEFORE", "Training"]
