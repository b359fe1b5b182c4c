"""The library's Trainer, told the few things that are ours: picture order, resuming, learning rates and what to log."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from skymoe.models.moe import expert_load

from .mixture import Pictures
from .recipe import Recipe, Stage

# Additions to the loss by name, from the inputs and outputs of a batch whose forward pass just ran.
ExtraLosses = Callable[[dict[str, Tensor], Any], dict[str, Tensor]]


class LogFile(TrainerCallback):
    """Every logged line also as JSON in the stage's folder, where plots and people find it after the run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **kwargs: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


class PictureTrainer(Trainer):
    """Pictures in their mixture's order (no shuffling twice), logging losses by part and the routers' balance."""

    def __init__(
        self,
        *args: Any,
        group_of: Callable[[str], float],
        extra_losses: ExtraLosses | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.group_of = group_of
        self.extra_losses = extra_losses
        self.optimizer: Any
        self._parts: dict[str, list[Tensor]] = defaultdict(list)

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def create_optimizer(self, model: nn.Module | None = None) -> Any:
        """AdamW; `group_of(name)` gives each parameter's learning rate; vectors (norms, biases) take no decay."""
        if self.optimizer is None:
            groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
            for name, parameter in (model or self.model).named_parameters():
                if parameter.requires_grad:
                    decay = self.args.weight_decay if parameter.dim() > 1 else 0.0
                    groups[(self.group_of(name), decay)].append(parameter)
            self.optimizer = torch.optim.AdamW(
                [
                    {"params": params, "lr": lr, "weight_decay": decay}
                    for (lr, decay), params in groups.items()
                ],
                betas=(0.9, 0.98),
                fused=True,
            )
        return self.optimizer

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        # Dropout follows from seed and step alone, so that a resumed run drops what the uninterrupted one would.
        torch.manual_seed(self.args.seed * 1_000_003 + self.state.global_step)
        return super().training_step(*args, **kwargs)

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any) -> Any:
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True, **kwargs)
        if self.extra_losses is not None:
            for name, extra in self.extra_losses(inputs, outputs).items():
                self._parts[name].append(extra.detach())
                loss = loss + extra
        for name in ("aux_loss", "scene_loss", "word_loss", "heat_loss", "size_loss"):
            if outputs.get(name) is not None:
                self._parts[name].append(outputs[name].detach())
        if outputs.get("router_logits"):
            for layer, logits in enumerate(outputs["router_logits"]):
                load = expert_load(
                    logits.detach(), self.model.config.num_experts_per_tok, inputs.get("token_mask")
                )
                self._parts[f"load_min_{layer}"].append(load.min())
                self._parts[f"load_max_{layer}"].append(load.max())
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        for name, values in self._parts.items():
            logs[name] = round(torch.stack(values).mean().item(), 4)
        self._parts.clear()
        super().log(logs, *args, **kwargs)


def train_stage(
    recipe: Recipe,
    stage: Stage,
    model: nn.Module,
    pictures: Pictures,
    collate: Callable[[list[dict]], dict],
    folder: Path,
    learning_rate_of: Callable[[str], float],
    extra_losses: ExtraLosses | None = None,
) -> None:
    """Run one stage to its end, from its last checkpoint if there is one. Checkpoints live in `folder/checkpoints`."""
    checkpoints = folder / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    last = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    if last is not None:
        pictures.start = int(last.rpartition("-")[2]) * stage.batch_size
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=stage.steps,
        per_device_train_batch_size=stage.batch_size,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(stage.warmup * stage.steps),
        weight_decay=stage.weight_decay,
        max_grad_norm=1.0,
        seed=recipe.seed,
        bf16=use_bf16(recipe.precision),
        use_cpu=not torch.accelerator.is_available(),
        save_steps=stage.save_every,
        save_total_limit=2,
        logging_steps=20,
        ignore_data_skip=True,  # the mixture itself continues where the checkpoint stopped
        dataloader_num_workers=recipe.workers,
        dataloader_persistent_workers=recipe.workers > 0,
        remove_unused_columns=False,
        report_to="none",
        accelerator_config={"use_seedable_sampler": False},
    )
    trainer = PictureTrainer(
        model=model,
        args=arguments,
        train_dataset=pictures,
        data_collator=collate,
        callbacks=[LogFile(folder / "log.jsonl")],
        group_of=learning_rate_of,
        extra_losses=extra_losses,
    )
    if last is not None and len(pictures) == 0:  # stopped after the last step, before the model was saved
        trainer._load_from_checkpoint(last)
    else:
        trainer.train(resume_from_checkpoint=last)
    shutil.rmtree(checkpoints, ignore_errors=True)


def use_bf16(precision: str) -> bool:
    """Whether to compute in bfloat16: asked for, or "auto" where the GPU or CPU has instructions for it."""
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported()
