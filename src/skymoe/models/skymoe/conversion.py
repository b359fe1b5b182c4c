"""What each tensor of a SkyMoE checkpoint is made of in a dense LLaVA checkpoint: its old name, clones, interpolation.

E experts, D hidden size, F FFN width.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming, WeightTransform

from skymoe.errors import UserError

from ..positions import interpolate_position_embedding
from .configuration_skymoe import SkyMoeConfig
from .shards import CheckpointReader, PlannedTensor

# Names of LLaVA checkpoints through the years (hub files, Transformers 4.52 on, base models) → names of SkyMoE.
RENAMED = (
    (r"language_model\.lm_head\.", "lm_head."),
    (r"language_model\.model\.", "model.language_model."),
    (r"(?:model\.)?language_model\.", "model.language_model."),
    (r"(?:model\.)?vision_tower\.(?:vision_model\.)?", "model.vision_tower."),
    (r"(?:model\.)?multi_modal_projector\.", "model.multi_modal_projector."),
)
# Buffers that older versions saved and the model computes by itself.
COMPUTED = re.compile(r"(^|\.)(rotary_emb\.inv_freq|position_ids)$")
# Towers whose picture size can be changed: name of the position embedding, its rows before those of the patches.
TOWERS = {
    "clip_vision_model": ("embeddings.position_embedding.weight", 1),
    "siglip_vision_model": ("embeddings.position_embedding.weight", 0),
    "efficientnet_lite_vision": ("position_embedding", 0),
}
MOE_WEIGHT = re.compile(
    r"(model\.language_model\.layers\.\d+\.mlp)\."
    r"(experts\.gate_up_proj|experts\.down_proj|router\.weight|router\.instruction_weight)"
)


def plan_tensors(
    reader: CheckpointReader,
    model: nn.Module,
    config: SkyMoeConfig,
    dtype: torch.dtype | None,
    seed: int,
    router_std: float | None,
) -> Iterator[PlannedTensor]:
    """Every tensor of the new checkpoint, in the order of `model` (on the meta device), each checked against the old.

    Raises:
        UserError: a tensor is missing, left over or of another shape than the configuration says.
    """
    sources: dict[str, str] = {}
    transforms = get_model_conversion_mapping(model, add_legacy=False)
    for old in reader:
        new, change = _renamed(old, transforms)
        if change is not None:
            part = config.vision_config if "vision_tower." in new else config.text_config
            raise UserError(
                f"{reader.folder}: {part.model_type!r} computes with {old} in another form than it is stored in, which "
                "upcycling does not know: choose a decoder like Llama, Mistral, Qwen or Gemma, a tower like CLIP, "
                "SigLIP or DINOv2"
            )
        if COMPUTED.search(old):
            continue
        if new in sources:
            raise UserError(f"{reader.folder} holds {new} twice, as {sources[new]} and as {old}")
        sources[new] = old
    std = config.text_config.initializer_range if router_std is None else router_std
    generator = torch.Generator().manual_seed(seed)
    positions, prefix = TOWERS.get(config.vision_config.model_type, ("", 0))

    def take(name: str, shape: tuple[int, ...]) -> str:
        if name not in sources:
            raise UserError(
                f"{reader.folder} lacks {name}: it is not the whole model that its config.json tells of"
            )
        old = sources.pop(name)
        if reader.shape(old) != shape:
            raise UserError(
                f"{reader.folder}: {old} has shape {reader.shape(old)}, its config.json tells of {shape}"
            )
        return old

    for name, parameter in model.state_dict().items():
        shape = tuple(parameter.shape)
        if (moe := MOE_WEIGHT.fullmatch(name)) is not None:
            ffn, part = moe.groups()
            if part.startswith("router"):  # comes before the experts, so the FFN is still among the sources
                gate = sources.get(f"{ffn}.gate_proj.weight")
                kept = dtype or (reader.dtype(gate) if gate is not None else torch.float32)
                start = partial(torch.zeros, shape)
                if part == "router.weight":
                    start = partial(_normal, shape, std, generator)
                yield PlannedTensor(name, shape, kept, start)
            else:
                experts, rows, columns = shape
                halves = ("gate_proj", "up_proj") if part == "experts.gate_up_proj" else ("down_proj",)
                one = (rows // len(halves), columns)
                olds = [take(f"{ffn}.{half}.weight", one) for half in halves]
                kept = dtype or reader.dtype(olds[0])
                yield PlannedTensor(name, shape, kept, partial(_clones, reader, olds, experts, kept))
        elif name == f"model.vision_tower.{positions}" and name in sources:
            old = sources.pop(name)
            rows, width = reader.shape(old)
            if width != shape[1] or isqrt(rows - prefix) ** 2 != rows - prefix:
                raise UserError(
                    f"{reader.folder}: {old} has shape ({rows}, {width}), expected a square grid + {prefix} rows "
                    f"of width {shape[1]}"
                )
            side = config.vision_config.image_size // config.vision_config.patch_size
            kept = dtype or reader.dtype(old)
            yield PlannedTensor(name, shape, kept, partial(_positions, reader, old, side, prefix))
        elif name == "lm_head.weight" and name not in sources and config.tie_word_embeddings:
            continue
        else:
            old = take(name, shape)
            yield PlannedTensor(name, shape, dtype or reader.dtype(old), partial(reader.read, old))
    if sources:
        raise UserError(
            f"{reader.folder} holds {len(sources)} tensors that its config.json does not tell of, such as "
            f"{next(iter(sources.values()))}: give a plain LLaVA checkpoint"
        )


def tokens_before_patches(vision: Any) -> int:
    """Visual tokens of a tower in `TOWERS` that stand for no place: a class token, or a summary token, which has its
    position apart from the others'."""
    return TOWERS[vision.model_type][1] + int(getattr(vision, "summary_token", False))


def _renamed(old: str, transforms: list[WeightTransform]) -> tuple[str, WeightTransform | None]:
    """The name here of a stored tensor, by our own rules and by those of the library, which stores DINOv2 and ViT, for
    example, under other names than it computes with; and the transform, if any, that would change the tensor too."""
    new = old
    for pattern, start in RENAMED:
        if (match := re.match(pattern, old)) is not None:
            new = start + old[match.end() :]
            break
    # The library's rules for a part of a model are written without the prefix of a base model.
    inner = new.removeprefix("model.")
    prefix = new[: len(new) - len(inner)]
    for transform in transforms:
        inner, matched = transform.rename_source_key(inner)
        if matched is not None and not isinstance(transform, WeightRenaming):
            return prefix + inner, transform
    return prefix + inner, None


def _normal(shape: tuple[int, ...], std: float, generator: torch.Generator) -> Tensor:
    return torch.normal(0.0, std, shape, generator=generator)


def _clones(reader: CheckpointReader, names: list[str], experts: int, dtype: torch.dtype) -> Tensor:
    """(E, 2F, D) from gate and up, or (E, D, F) from down: every expert the same."""
    one = torch.cat([reader.read(name).to(dtype) for name in names])
    return one.expand(experts, *one.shape)


def _positions(reader: CheckpointReader, name: str, side: int, prefix: int) -> Tensor:
    return interpolate_position_embedding(reader.read(name).float(), side, prefix_tokens=prefix)
