"""A dense LLaVA-style checkpoint becomes a SkyMoE checkpoint: FFNs are cloned into experts, pictures may grow.

Nothing is trained here. With renormalised routing weights the new model computes exactly what the old one did, whatever
its routers choose: stage II starts where stage I ended. E experts, D hidden size, F FFN width.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from skymoe.errors import UserError

from ..fitness import tower_refusal
from ..weight_files import fetch, is_folder
from ..whole_weights import read_config, read_processor
from .configuration_skymoe import SkyMoeConfig
from .conversion import MOE_WEIGHT, TOWERS, plan_tensors, tokens_before_patches
from .modeling_skymoe import SkyMoeForConditionalGeneration, activated_parameters
from .processing_skymoe import SkyMoeProcessor
from .shards import CheckpointReader, write_shards

PROCESSOR_FILES = (
    "processor_config.json",
    "preprocessor_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
)


@dataclass(frozen=True, slots=True)
class Upcycled:
    """What `upcycle` wrote. Parameters: `total`, `activated` by one token, `experts` with their routers."""

    path: str
    total: int
    activated: int
    experts: int
    expert_layers: list[int]
    image_size: int
    image_tokens: int
    bytes: int
    shards: int
    processor: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def upcycle(
    base: str | Path,
    out: str | Path,
    *,
    num_experts: int = 8,
    top_k: int = 2,
    interval: int = 2,
    offset: int = 0,
    layers: list[int] | None = None,
    image_size: int | None = None,
    dtype: str | torch.dtype | None = None,
    seed: int = 0,
    router_std: float | None = None,
    router_conditioning: str | None = None,
    max_shard_size: int | str = "2GB",
) -> Upcycled:
    """Write the SkyMoE checkpoint `out` grown from the dense checkpoint `base`, a shard in memory at a time.

    Args:
        base: directory or hub id of a LLaVA checkpoint in Transformers' format, or of a dense SkyMoE (stage I).
        out: directory to make; it appears only when everything is written.
        num_experts: clones of the FFN in each expert layer; 0 keeps the model dense (interpolation alone).
        top_k, interval, offset, layers, router_conditioning: as in `SkyMoeConfig`.
        image_size: side of the pictures in pixels (paper: 504); position embeddings are interpolated bicubically.
        dtype: type of the new weights, such as "bfloat16"; None keeps each tensor's own.
        seed: of the routers' random start.
        router_std: its standard deviation; None takes the decoder's `initializer_range`.
        max_shard_size: size of one file, which bounds the memory needed.

    Raises:
        UserError: `base` is no such checkpoint, `out` is in use, or the wished form is impossible.
    """
    out = Path(out).resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"{out} exists and is not an empty directory: choose another place for the new checkpoint"
        )
    folder = _local(base)
    source = _dense_config(folder)
    try:
        config = SkyMoeConfig(
            **_shared_settings(source),
            num_experts=num_experts,
            num_experts_per_tok=top_k,
            moe_layer_interval=interval,
            moe_layer_offset=offset,
            moe_layers=layers,
            router_conditioning=router_conditioning,
        )
        _set_image_size(config, image_size)
        with torch.device("meta"):
            model = SkyMoeForConditionalGeneration(config)
    except ValueError as error:
        raise UserError(str(error)) from error
    if (refusal := tower_refusal(model.model.vision_tower)) is not None:
        raise UserError(f"{folder}: {refusal}")
    config.architectures = [type(model).__name__]
    wanted_dtype = _dtype(dtype)

    reader = CheckpointReader(folder)
    plan = list(plan_tensors(reader, model, config, wanted_dtype, seed, router_std))
    weight_of: Counter[torch.dtype] = Counter()
    for tensor in plan:
        weight_of[tensor.dtype] += tensor.nbytes
    config.dtype = weight_of.most_common(1)[0][0]
    needed = sum(tensor.nbytes for tensor in plan)
    out.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out.parent).free
    if free < needed:
        raise UserError(
            f"{out.parent} has {free / 1e9:.1f} GB free, the checkpoint needs {needed / 1e9:.1f} GB"
        )
    # Everything is written beside its place, so that a directory called `out` is always a whole checkpoint.
    unfinished = out.with_name(f"{out.name}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        config.save_pretrained(unfinished)
        has_processor = _write_processor(folder, unfinished, config)
        if (folder / "generation_config.json").is_file():
            shutil.copyfile(folder / "generation_config.json", unfinished / "generation_config.json")
        shards = write_shards(unfinished, plan, max_shard_size)
        if out.exists():
            out.rmdir()
        unfinished.rename(out)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    moe = sum(p.numel() for name, p in model.named_parameters() if MOE_WEIGHT.fullmatch(name))
    return Upcycled(
        path=str(out),
        total=sum(p.numel() for p in model.parameters()),
        activated=activated_parameters(model, config),
        experts=moe,
        expert_layers=config.expert_layers,
        image_size=config.vision_config.image_size,
        image_tokens=config.image_seq_length,
        bytes=needed,
        shards=len(shards),
        processor=has_processor,
    )


def _local(base: str | Path) -> Path:
    """The directory of `base`; a hub id is fetched (safetensors, configuration and processor files alone)."""
    if is_folder(base):
        return Path(base)
    if Path(base).exists() or not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", str(base)):
        raise UserError(
            f"{base} is no directory: give a checkpoint's directory or a hub id such as 'owner/model'"
        )
    try:
        return fetch(str(base))
    except (
        OSError,
        ValueError,
    ) as error:  # no such repository, gated, offline: the hub's errors are all of these
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{base} is no directory and cannot be fetched from the hub ({reason})") from error


def _dense_config(folder: Path) -> Any:
    try:
        there = (folder / "config.json").is_file()
    except OSError as error:
        raise UserError(f"{folder / 'config.json'} cannot be read ({error.strerror})") from error
    if not there:
        adapter = (folder / "adapter_config.json").is_file()
        remedy = "merge the LoRA adapter into its model first" if adapter else "give a whole checkpoint"
        raise UserError(f"{folder} has no config.json: {remedy}")
    try:
        config = read_config(folder)
    except (ValueError, KeyError, OSError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{folder / 'config.json'} cannot be read ({reason})") from error
    if config.model_type not in ("llava", "skymoe"):
        raise UserError(
            f"{folder} is a {config.model_type!r} model: SkyMoE grows from 'llava' or a dense 'skymoe'"
        )
    if getattr(config, "num_experts", 0):
        raise UserError(f"{folder} has {config.num_experts} experts already: give the dense model of stage I")
    if getattr(config, "quantization_config", None) is not None:
        raise UserError(f"{folder} is quantised: give the unquantised model")
    return config


def _shared_settings(source: Any) -> dict[str, Any]:
    """What LLaVA and SkyMoE have in common, plus what a dense SkyMoE says about the loss."""
    changed = {
        "model_type",
        "architectures",
        "transformers_version",
        "dtype",
        "torch_dtype",
        "auto_map",
        "_name_or_path",
    }
    changed |= {"num_experts", "num_experts_per_tok", "moe_layer_interval", "moe_layer_offset", "moe_layers"}
    changed |= {"router_conditioning"}
    return {key: value for key, value in source.to_dict().items() if key not in changed}


def _set_image_size(config: SkyMoeConfig, image_size: int | None) -> None:
    vision = config.vision_config
    if vision.model_type not in TOWERS:
        if image_size is None:
            return
        known = ", ".join(sorted(TOWERS))
        raise UserError(f"image_size: no rule for the positions of {vision.model_type!r} (known: {known})")
    if image_size is not None:
        if image_size < vision.patch_size or image_size % vision.patch_size:
            raise UserError(
                f"image_size={image_size} must be a multiple of the tower's patches of {vision.patch_size}"
            )
        vision.image_size = image_size
    side = vision.image_size // vision.patch_size
    dropped = config.vision_feature_select_strategy == "default"
    config.image_seq_length = side**2 + tokens_before_patches(vision) - dropped


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype | None:
    if dtype is None or isinstance(dtype, torch.dtype):
        return dtype
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in known:
        raise UserError(f"dtype={dtype!r} must be one of {', '.join(known)}")
    return known[dtype]


def _side(pictures: Any) -> int | None:
    """Side of the square pictures that an image processor gives; None where they are not square."""
    size = dict((pictures.crop_size if getattr(pictures, "do_center_crop", None) else pictures.size) or {})
    return size.get("height") if size.get("height") == size.get("width") else None


def _write_processor(folder: Path, out: Path, config: SkyMoeConfig) -> bool:
    """The base's processor, for square pictures of the new size, never cropped; False if the base has none."""
    if not any((folder / name).is_file() for name in PROCESSOR_FILES):
        return False
    try:
        old = read_processor(folder)
        pictures, tokenizer = old.image_processor, old.tokenizer
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"the processor files of {folder} cannot be read ({reason})") from error
    vision = config.vision_config
    known = vision.model_type in TOWERS
    # A tower that fits its positions to any picture was often trained at one size and is used at another.
    side = vision.image_size if known else _side(pictures) or vision.image_size
    pictures.size = {"height": side, "width": side}
    pictures.crop_size = dict(pictures.size)
    pictures.do_resize, pictures.do_center_crop = True, False
    if getattr(pictures, "do_pad", None):
        pictures.do_pad = False
    prefix = tokens_before_patches(vision) if known else old.num_additional_image_tokens
    SkyMoeProcessor(
        pictures,
        tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        chat_template=old.chat_template,
        image_token=old.image_token,
        num_additional_image_tokens=prefix,
    ).save_pretrained(out)
    return True


__all__ = ["Upcycled", "upcycle"]
