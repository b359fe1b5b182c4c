"""A planned step really taken, with random weights, so that prediction and measurement can be compared. Loads torch.

For models that fit where it runs. Memory on a GPU is what its allocator says; on a CPU every allocation of PyTorch is
recorded and added up, because a process's size also holds libraries, fragments and what the system has not taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from skymoe.errors import UserError
from skymoe.models.skymoe import SkyMoeForConditionalGeneration

from .on_meta import configuration
from .stage import StageSettings

FORMATS = {4: torch.float32, 2: torch.bfloat16}


class Rehearsal:
    """One stage's model with random weights, its AdamW and a batch of noise; `step()` is a whole optimizer step.

    Raises:
        UserError: the stage trains adapters or the tower alone, for which there is no rehearsal.
    """

    def __init__(
        self,
        stage: StageSettings,
        micro: int,
        accumulation: int = 1,
        checkpointing: bool = False,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        if stage.lora is not None or stage.tower_only:
            raise UserError(
                f"stage {stage.name!r} cannot be rehearsed: only stages that train the model's weights can"
            )
        torch.manual_seed(seed)
        self.stage, self.accumulation, self.device = stage, accumulation, torch.device(device)
        precision = stage.precision
        with self.device:  # born where it stays: a large model would take minutes in main memory
            self.model = SkyMoeForConditionalGeneration(configuration(stage.architecture)).train()
        if stage.architecture.experts:
            self.model.set_experts_implementation(stage.kernel)
        for name, weight in self.model.named_parameters():
            trained = stage.trained(name)
            weight.requires_grad_(trained)
            weight.data = weight.data.to(FORMATS[precision.trained if trained else precision.frozen])
        if checkpointing:
            model: Any = self.model  # newer versions of Transformers have another name for it
            enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
            enable({"use_reentrant": False})
            model.disable_input_require_grads()  # as `train/trainer.py` does
        self.trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, fused=True)
        # Trained weights in bfloat16 need no autocast: then all is in one format.
        self.autocast = precision.trained != precision.compute
        self.inputs = self._inputs(micro)

    def _inputs(self, micro: int) -> dict[str, torch.Tensor]:
        stage, model = self.stage, self.stage.architecture
        image = self.model.config.image_token_id
        ids = torch.randint(0, image, (micro, stage.tokens))
        ids[:, : model.image_tokens] = image
        labels = torch.full_like(ids, -100)
        labels[:, -stage.answer_tokens :] = ids[:, -stage.answer_tokens :]
        mask = torch.ones_like(ids)
        if stage.padded:
            mask[0, -1] = 0
        side = model.tower.image_size
        pixels = torch.randn(
            micro, 3, side, side, dtype=FORMATS[4 if self.autocast else stage.precision.compute]
        )
        inputs = {"input_ids": ids, "labels": labels, "attention_mask": mask, "pixel_values": pixels}
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}

    def step(self) -> None:
        """Forward and backward over every micro-batch, then the optimizer, as `skymoe train` does it."""
        for _ in range(self.accumulation):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
                loss = self.model(**self.inputs, answers_only=True).loss
            loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def alive(self) -> list[torch.Tensor]:
        """Tensors that live between steps: weights, moments, inputs."""
        moments: list[Any] = [value for state in self.optimizer.state.values() for value in state.values()]
        return [*self.model.parameters(), *moments, *self.inputs.values()]

    def peak(self) -> int:
        """Bytes of tensors at the worst moment of a step, the second one: the first makes the moments."""
        self.step()
        return measured_peak(self.step, self.alive())


def measured_peak(step: Callable[[], object], alive: Iterable[torch.Tensor]) -> int:
    """Bytes of tensors at the worst moment of `step()`, those in `alive` (weights, optimizer, inputs) included."""
    from torch.profiler import ProfilerActivity, profile

    before = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in alive}
    if any(tensor.is_cuda for tensor in alive):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        step()
    results = getattr(recorded.profiler, "kineto_results", None)
    assert results is not None
    events = [event for event in results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return sum(before.values()) + peak
