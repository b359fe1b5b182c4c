"""EfficientNet-Lite: folded batch norms, TensorFlow's padding, tokens in reading order."""

import math

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from skymoe.models.efficientnet_lite import (
    STAGES,
    EfficientNetLiteConfig,
    EfficientNetLiteModel,
    SameConv,
    fold_imagenet_weights,
)

EPS = 1e-3


def same_padded(x: Tensor, weight: Tensor, stride: int, groups: int) -> Tensor:
    """The convolution by TensorFlow's rule: output ⌈n/s⌉, the odd row at the bottom, the odd column right."""
    kernel = weight.shape[-1]
    before, after = [], []
    for size in x.shape[-2:]:
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    padded = x.new_zeros(*x.shape[:2], x.shape[2] + before[0] + after[0], x.shape[3] + before[1] + after[1])
    padded[:, :, before[0] : before[0] + x.shape[2], before[1] : before[1] + x.shape[3]] = x
    return F.conv2d(padded, weight, stride=stride, groups=groups)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(7, 7), (8, 8), (6, 9), (2, 3)])
def test_same_padding(kernel: int, stride: int, size: tuple[int, int]) -> None:
    convolution = SameConv(4, 4, kernel, stride, groups=2, bias=False)
    x = torch.randn(2, 4, *size)
    got = convolution(x)
    assert got.shape[-2:] == tuple(math.ceil(n / stride) for n in size)
    torch.testing.assert_close(got, same_padded(x, convolution.weight, stride, 2))


class Reference(nn.Module):
    """The network of the weights package, unfolded: convolution, batch norm, ReLU6."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.state = state

    def apply_one(
        self, x: Tensor, conv: str, norm: str, stride: int = 1, groups: int = 1, relu: bool = True
    ) -> Tensor:
        x = same_padded(x, self.state[f"{conv}.weight"], stride, groups)
        parts = [self.state[f"{norm}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")]
        x = F.batch_norm(x, *parts, training=False, eps=EPS)
        return F.relu6(x) if relu else x

    def forward(self, x: Tensor) -> Tensor:
        x, number = self.apply_one(x, "_conv_stem", "_bn0", 2), 0
        for _, stride, expansion, outputs, repeats in STAGES:
            for block in range(repeats):
                name, step, y = f"_blocks.{number}", stride if block == 0 else 1, x
                if expansion != 1:
                    y = self.apply_one(y, f"{name}._expand_conv", f"{name}._bn0")
                y = self.apply_one(y, f"{name}._depthwise_conv", f"{name}._bn1", step, y.shape[1])
                y = self.apply_one(y, f"{name}._project_conv", f"{name}._bn2", relu=False)
                x = x + y if step == 1 and x.shape[1] == outputs else y
                number += 1
        return self.apply_one(x, "_conv_head", "_bn1")


def imagenet_like_state() -> dict[str, Tensor]:
    """Random weights under the names of the package, with batch-norm statistics that matter."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}

    def add(conv: str, norm: str, outputs: int, inputs: int, kernel: int) -> None:
        shape = (outputs, inputs, kernel, kernel)
        fan = inputs * kernel * kernel
        state[f"{conv}.weight"] = torch.randn(shape, generator=generator) * (2 / fan) ** 0.5
        for part, low, high in (
            ("weight", 0.5, 1.5),
            ("bias", -0.5, 0.5),
            ("running_mean", -0.5, 0.5),
            ("running_var", 0.3, 2),
        ):
            state[f"{norm}.{part}"] = torch.rand(outputs, generator=generator) * (high - low) + low

    add("_conv_stem", "_bn0", 32, 3, 3)
    channels, number = 32, 0
    for kernel, _, expansion, outputs, repeats in STAGES:
        for _ in range(repeats):
            name, width = f"_blocks.{number}", channels * expansion
            if expansion != 1:
                add(f"{name}._expand_conv", f"{name}._bn0", width, channels, 1)
            add(f"{name}._depthwise_conv", f"{name}._bn1", width, 1, kernel)
            add(f"{name}._project_conv", f"{name}._bn2", outputs, width, 1)
            channels, number = outputs, number + 1
    add("_conv_head", "_bn1", 1280, channels, 1)
    return state


@pytest.fixture(scope="module")
def tower() -> EfficientNetLiteModel:
    torch.manual_seed(0)
    tower = EfficientNetLiteModel(EfficientNetLiteConfig(image_size=64)).eval()
    torch.nn.init.zeros_(tower.position_embedding)  # the tests that look at positions set their own
    return tower


@torch.no_grad()
def test_folded_equals_convolution_and_batch_norm() -> None:
    state = imagenet_like_state()
    model = EfficientNetLiteModel(EfficientNetLiteConfig(image_size=64, fine_strides=[])).eval()
    folded = fold_imagenet_weights(state)
    missing = model.load_state_dict(folded, strict=False)
    assert not missing.unexpected_keys
    assert set(missing.missing_keys) == {"position_embedding", "norms.0.weight", "norms.0.bias"}
    x = torch.randn(2, 3, 64, 64)
    wanted = Reference(state)(x)
    torch.testing.assert_close(model.features(x)[32], wanted, rtol=1e-3, atol=1e-3 * wanted.std().item())


@torch.no_grad()
def test_tokens_are_cells_in_reading_order(tower: EfficientNetLiteModel) -> None:
    x = torch.randn(2, 3, 64, 96)
    output = tower(x)
    width = 1280 + 40 * 16 + 112 * 4
    assert output.last_hidden_state.shape == (2, 2 * 3, width) == (2, 6, tower.config.hidden_size)
    fine = tower.features(x)[8]
    assert fine.shape == (2, 40, 8, 12)
    cell = fine[:, :, 4:8, 4:8].reshape(2, 640)  # the cell of token 4: second row, second column
    norm = tower.norms[1]
    torch.testing.assert_close(output.last_hidden_state[:, 4, 1280:1920], norm(cell), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_positions_are_added_and_interpolated(tower: EfficientNetLiteModel) -> None:
    x = torch.randn(1, 3, 64, 64)
    plain = tower(x).last_hidden_state
    start = tower.position_embedding.clone()
    table = torch.randn(4, tower.config.hidden_size)
    tower.position_embedding.copy_(table)
    torch.testing.assert_close(
        tower(x).last_hidden_state - plain, (table - start)[None], rtol=1e-4, atol=1e-4
    )
    larger = torch.randn(1, 3, 96, 96)
    added = tower(larger).last_hidden_state
    tower.position_embedding.zero_()
    grid = table.T.reshape(1, -1, 2, 2)
    wanted = F.interpolate(grid, size=(3, 3), mode="bicubic", align_corners=False).flatten(2).transpose(1, 2)
    torch.testing.assert_close(added - tower(larger).last_hidden_state, wanted, rtol=1e-4, atol=1e-4)


def test_sides_must_be_multiples_of_32(tower: EfficientNetLiteModel) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        tower(torch.randn(1, 3, 72, 64))


def test_positions_start_as_waves_that_tell_every_cell_apart(tmp_path) -> None:
    """Also where a checkpoint brings none: the folded ImageNet weights know no positions."""
    model = EfficientNetLiteModel(EfficientNetLiteConfig(image_size=96))
    table = model.position_embedding
    torch.testing.assert_close(table.norm(dim=1), torch.full((9,), 0.5 * (table.shape[1] / 2) ** 0.5))
    assert torch.cdist(table, table).add(torch.eye(9) * 99).min() > 1
    state = {name: weight for name, weight in model.state_dict().items() if name != "position_embedding"}
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    model.config.save_pretrained(tmp_path)
    again, _ = EfficientNetLiteModel.from_pretrained(tmp_path, output_loading_info=True)  # else it is refused
    torch.testing.assert_close(again.position_embedding, table)
