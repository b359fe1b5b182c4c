"""The stages of an RS-MoE, run by the same `Training` as SkyMoE's: stage I's encoder, stage II's specialists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from skymoe.data.findings import prompt_words
from skymoe.errors import UserError
from skymoe.models.rsmoe import (
    EXPERT_NAMES,
    EXPERT_TASKS,
    RsMoeForConditionalGeneration,
    RsMoeProcessor,
    specialise,
)
from skymoe.models.rsmoe.narrowing import narrowed
from skymoe.models.whole_weights import read_config, read_model, read_processor
from skymoe.sample import Sample

from ..checkpoints import save_whole
from ..learning import prepare
from ..mixture import Pictures
from ..processes import by_one
from ..recipe_rsmoe import SPECIAL, EncoderStage, SpecialistStage
from ..trainer import train_stage
from .beginning import assemble, is_rsmoe
from .feeding import RowFeeding
from .sharing import share_pictures

if TYPE_CHECKING:
    from ..stages import Training

TOWER, DECODER = "model.vision_tower.", "model.language_model.decoder."
# Pictures whose features say how the reading of wide features is narrowed: tokens in plenty for nano's 2,838 numbers.
NARROWED_BY = 256


def train_encoder(training: Training, stage: EncoderStage, previous: str | None, target: Path) -> None:
    """Stage I, from a SkyMoE's (or InstructBLIP's) parts, or going on with an RS-MoE without experts."""
    assert previous is not None
    if is_rsmoe(previous):
        if read_config(previous).num_experts:
            raise UserError(
                f"stage {stage.name!r}: {previous} has experts already; go on with kind 'specialists'"
            )
        start = Path(previous)
    else:
        start = training.output / stage.name / "start"
        _once(
            start,
            lambda: assemble(previous, training.recipe.base, stage.resampler, start, training.recipe.seed),
        )
    _train(training, stage, start, target)


def train_specialists(training: Training, stage: SpecialistStage, previous: str | None, target: Path) -> None:
    """Stage II, from stage I's model; or in one stage from parts that no stage I has taught."""
    assert previous is not None
    begun = training.output / stage.name
    if not is_rsmoe(previous):
        resampler = stage.resampler
        if resampler is None:
            raise UserError(
                f"stage {stage.name!r} specialises an RS-MoE: put a stage of kind 'encoder' before it, or for "
                "one-stage training say resampler and everything: true"
            )
        base, parts = training.recipe.base, begun / "parts"
        given = previous
        _once(parts, lambda: assemble(given, base, resampler, parts, training.recipe.seed))
        previous = str(parts)
    config = read_config(previous)
    if config.num_experts:
        start = Path(previous)
    else:
        start = begun / "start"
        _once(start, lambda: _specialise(training, stage, previous, start))
    _train(training, stage, start, target)


def _specialise(training: Training, stage: SpecialistStage, previous: str, start: Path) -> None:
    # The pictures that are trained on, and no others, say which words there are.
    samples = [item for group in training.mixed(stage) for item in group.items if isinstance(item, Sample)]
    words = prompt_words(samples, stage.words) if stage.router == "instruction" else {}
    tasks = dict(zip(EXPERT_NAMES, EXPERT_TASKS, strict=True))
    specialise(
        previous,
        start,
        expert_names=stage.experts,
        expert_tasks=[tasks[name] for name in stage.experts],
        prompt_words=[words.get(name, ()) for name in stage.experts],
        prompt_length=stage.prompt_length,
        words_told=stage.words_told,
        finding_length=stage.finding_length,
        lora_rank=stage.lora_rank,
        lora_alpha=stage.lora_alpha,
        lora_targets=stage.lora_targets,
        seed=training.recipe.seed,
        router=stage.router,
        router_layers=stage.router_layers,
        router_heads=stage.router_heads,
        sub_task_coef=stage.sub_task_weight,
        word_coef=stage.word_weight,
    )


def _train(training: Training, stage: EncoderStage | SpecialistStage, start: Path, target: Path) -> None:
    recipe = training.recipe
    processor: Any = read_processor(start, RsMoeProcessor)
    training.processor = processor
    # Float32, computed in bfloat16 where the processor does: nearly all of it learns in stage I.
    model = read_model(RsMoeForConditionalGeneration, start, dtype=torch.float32)
    feeding = RowFeeding(
        processor, model.config, training.pixels(stage), recipe.data.questions | stage.questions, stage
    )
    rate_of = rates(stage)
    prepare(cast(Any, stage), model, rate_of, recipe.seed)
    share_pictures(model)
    train_stage(
        recipe,
        stage,
        model,
        training.pictures(stage, feeding.prepare),
        feeding.collate,
        target.parent,
        rate_of,
    )

    def save(folder: Path) -> None:
        kept = torch.bfloat16 if recipe.precision == "bf16" else torch.float32
        learnt = model
        if isinstance(stage, EncoderStage) and stage.feature_width is not None:
            learnt = narrowed(
                model, _features(model, training.pictures(stage, feeding.prepare)), stage.feature_width
            )
        learnt.to(kept).save_pretrained(folder)
        processor.save_pretrained(folder)

    by_one(lambda: save_whole(target, save))
    training.clear(stage)


@torch.no_grad()
def _features(model: RsMoeForConditionalGeneration, pictures: Pictures) -> Iterator[torch.Tensor]:
    """The tower's features of the first pictures that the stage was taught with, some at a time."""
    model.eval()
    for first in range(0, min(NARROWED_BY, len(pictures)), 32):
        batch = [pictures[place]["pixel_values"] for place in range(first, min(first + 32, len(pictures)))]
        yield model.model.tower_features(torch.stack(batch).to(model.device, model.dtype))


def rates(stage: EncoderStage | SpecialistStage) -> Callable[[str], float]:
    """The learning rate of a parameter by its name; 0 where it is frozen, as the tower always is."""
    decoder = stage.decoder_learning_rate or stage.learning_rate
    everything = isinstance(stage, EncoderStage) or stage.everything

    def of(name: str) -> float:
        if any(part in name for part in SPECIAL):
            return stage.learning_rate
        if name.startswith(TOWER) or not everything:
            return 0.0
        return decoder if name.startswith((DECODER, "lm_head.")) else stage.learning_rate

    return of


def _once(folder: Path, make: Callable[[], Any]) -> None:
    def unless_there() -> None:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            make()

    by_one(unless_there)
