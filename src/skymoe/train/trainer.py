"""The library's Trainer, told the few things that are ours: picture order, resuming, learning rates and what to log."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainerCallback, TrainingArguments

from skymoe.errors import UserError
from skymoe.models.moe import expert_load
from skymoe.models.skymoe.modeling_skymoe import IGNORED_LABEL
from skymoe.models.weight_files import one_line

from .checkpoints import keep_newest, last_whole, step_of, sweep, whole, write_list
from .compiling import compile_layers
from .expert_watch import ExpertWatch
from .learning import load_trained, trained_state
from .mixture import Pictures
from .processes import by_one, shares, state
from .recipe import Recipe
from .recipe_stages import Stage
from .step_zero import StepZero

# Additions to the loss by name, from the inputs and outputs of a batch whose forward pass just ran.
ExtraLosses = Callable[[dict[str, Tensor], Any], dict[str, Tensor]]
KEPT_CHECKPOINTS = 2
TRAINED, OPTIMIZER = "trained.safetensors", "optimizer"
# Parts of a model's loss that are logged beside it, where its output has them.
LOSSES = ("aux_loss", "scene_loss", "word_loss", "heat_loss", "size_loss", "answer_loss", "sub_loss")


class LogFile(TrainerCallback):
    """Every logged line also as JSON in the stage's folder, where plots and people find it after the run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # What a killed run logged after its last checkpoint is trained, and logged, once more.
        if state.is_world_process_zero and self.path.is_file():
            lines = self.path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if _step(line) <= state.global_step]
            if state.global_step == 0:
                kept = []
            self.path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # the half line of a killed process
        return float("inf")


class PictureTrainer(Trainer):
    """Pictures in their mixture's order (no shuffling twice), logging losses by part and the routers' balance.

    `told` stands in every checkpoint and must be the same when it is resumed. `zero` is checked before the first step.
    """

    def __init__(
        self,
        *args: Any,
        group_of: Callable[[str], float],
        extra_losses: ExtraLosses | None = None,
        betas: tuple[float, float] = (0.9, 0.98),
        told: dict[str, Any] | None = None,
        watch: ExpertWatch | None = None,
        zero: StepZero | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.group_of, self.extra_losses, self.betas = group_of, extra_losses, betas
        self.told, self.watch, self.zero = told or {}, watch, zero
        self.optimizer: Any
        self.sharded = bool(getattr(self.model, "is_distributed_loading_by_transformers", False))
        self._parts: dict[str, list[Tensor]] = defaultdict(list)
        self._micro = (-1, 0)  # the step, and how many of its micro-batches were begun
        self._writing = Path(self.args.output_dir)
        # The library's Trainer starts with sharded weights only if it need not keep their optimizer. Ours does, below.
        self.args.save_only_model = False

    # ---- what is learnt from, and how fast

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def create_optimizer(self, model: nn.Module | None = None) -> Any:
        """AdamW; `group_of(name)` gives each parameter's learning rate; vectors (norms, biases) take no decay."""
        if self.optimizer is None:
            groups: dict[tuple[float, float, Any], list[nn.Parameter]] = defaultdict(list)
            for name, parameter in (model or self.model).named_parameters():
                if parameter.requires_grad:
                    decay = self.args.weight_decay if parameter.dim() > 1 else 0.0
                    # Parameters that are sharded differently can't be stepped together.
                    mesh = parameter.device_mesh if isinstance(parameter, DTensor) else None
                    groups[(self.group_of(name), decay, mesh)].append(parameter)
            self.optimizer = torch.optim.AdamW(
                [
                    {"params": params, "lr": lr, "weight_decay": decay}
                    for (lr, decay, _), params in groups.items()
                ],
                betas=self.betas,
                fused=not self.sharded,
            )
        return self.optimizer

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        # Dropout follows from seed, step and place in the batch, so that a resumed run drops what the uninterrupted
        # one would.
        step = self.state.global_step
        begun = self._micro[1] if self._micro[0] == step else 0
        self._micro = (step, begun + 1)
        place = begun * self.args.world_size + self.args.process_index
        torch.manual_seed(self.args.seed * 1_000_003 + step + place * 982_451_653)
        return super().training_step(*args, **kwargs)

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        loss, outputs = super().compute_loss(
            model, inputs, return_outputs=True, num_items_in_batch=num_items_in_batch, **kwargs
        )
        if self.extra_losses is not None:
            weight = self._weight(inputs, num_items_in_batch)
            for name, extra in self.extra_losses(inputs, outputs).items():
                self._parts[name].append(extra.detach())
                loss = loss + extra * weight
        for name in LOSSES:
            if outputs.get(name) is not None:
                self._parts[name].append(outputs[name].detach())
        if outputs.get("router_logits"):
            chosen, mask = self.model.config.num_experts_per_tok, inputs.get("token_mask")
            loads = [expert_load(logits.detach(), chosen, mask) for logits in outputs["router_logits"]]
            for layer, load in enumerate(loads):
                self._parts[f"load_min_{layer}"].append(load.min())
                self._parts[f"load_max_{layer}"].append(load.max())
            if self.watch is not None:
                self.watch.add(loads)
        return (loss, outputs) if return_outputs else loss

    def _weight(self, inputs: Any, items: Tensor | None) -> Tensor | float:
        """What a mean over these answer tokens counts for in the whole batch's; processes are averaged later."""
        if items is None:
            return 1.0
        return (inputs["labels"][:, 1:] != IGNORED_LABEL).sum() / items * self.accelerator.num_processes

    # ---- what is told

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        names = sorted(self._parts)
        if names:
            means = torch.stack([torch.stack(self._parts[name]).mean().float() for name in names])
            for name, value in zip(names, self._everybody(means).tolist(), strict=True):
                logs[name] = round(value, 4)
        self._parts.clear()
        if self.watch is not None:
            logs |= self.watch.report(self._everybody)
        super().log(logs, *args, **kwargs)

    def _everybody(self, values: Tensor) -> Tensor:
        """Their mean over the processes."""
        return self.accelerator.reduce(values, "mean") if self.args.world_size > 1 else values

    # ---- what is kept

    def begin(self) -> None:
        """What is done when all is wrapped and sharded, before the first step."""
        # Transformers gives what embeddings return a gradient, which re-entrant checkpointing needs. Ours is not
        # that, and it would send gradients through a frozen tower and layers below the first that learns.
        if hasattr(self.model, "disable_input_require_grads"):
            self.model.disable_input_require_grads()
        if self.zero is not None and self.state.global_step == 0:
            self.zero.check(self.model_wrapped, self.compute_loss_context_manager)

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._writing)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir) / "checkpoints"
        place = folder / f"checkpoint-{self.state.global_step}"
        processes = state()
        writing = folder / "writing"
        self._writing = writing
        with whole(place, writing / place.name) if processes.is_main_process else nullcontext():
            processes.wait_for_everyone()
            super()._save_checkpoint(model, trial)
            processes.wait_for_everyone()
            if processes.is_main_process:
                write_list(writing / place.name, **self.told)
        processes.wait_for_everyone()
        if processes.is_main_process:
            keep_newest(folder, KEPT_CHECKPOINTS)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """What learns, and nothing else: the rest is where the stage began, which is still there."""
        assert output_dir is not None
        weights = trained_state(self.model)
        if self.args.should_save:
            save_file(weights, Path(output_dir) / TRAINED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        file = Path(resume_from_checkpoint) / TRAINED
        try:
            weights = load_file(file)
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"{file} is broken ({one_line(error)}): delete {resume_from_checkpoint} and run again"
            ) from error
        load_trained(self.model, weights, source=resume_from_checkpoint)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.sharded:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        from transformers.distributed.checkpoint import save_optimizer_distributed

        # Every process writes its part; the library's Trainer would keep the first process's part alone.
        save_optimizer_distributed(self.model, self.optimizer.optimizer, str(Path(output_dir) / OPTIMIZER))
        if self.args.should_save:
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / "scheduler.pt")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if not self.sharded or checkpoint is None:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        from transformers.distributed.checkpoint import load_optimizer_distributed

        load_optimizer_distributed(self.model, self.optimizer.optimizer, str(Path(checkpoint) / OPTIMIZER))
        self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / "scheduler.pt", weights_only=True))


class BeforeFirstStep(TrainerCallback):
    """Calls the trainer's `begin` when its model is wrapped and sharded as it will learn."""

    def __init__(self) -> None:
        self.trainer: PictureTrainer | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        assert self.trainer is not None
        self.trainer.begin()


def train_stage(
    recipe: Recipe,
    stage: Stage,
    model: nn.Module,
    pictures: Pictures,
    collate: Callable[[list[dict]], dict],
    folder: Path,
    learning_rate_of: Callable[[str], float],
    extra_losses: ExtraLosses | None = None,
    watch: ExpertWatch | None = None,
    zero: Callable[[], StepZero] | None = None,
) -> None:
    """Run one stage to its end, from its last whole checkpoint if there is one (in `folder/checkpoints`).

    `zero` makes what is compared before the first step of a stage that is not resumed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    steps = len(pictures.mixture) // stage.batch_size
    told = {"batch_size": stage.batch_size, "seed": recipe.seed, "steps": steps}
    by_one(lambda: sweep(folder / "checkpoints"))
    last = last_whole(folder / "checkpoints", batch_size=stage.batch_size, seed=recipe.seed)
    if last is not None:
        pictures.start = step_of(last) * stage.batch_size
    micro, accumulated = shares(stage, state().num_processes)
    sharded = bool(getattr(model, "is_distributed_loading_by_transformers", False))
    if stage.compile:
        compile_layers(model)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulated,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(stage.warmup * steps),
        weight_decay=stage.weight_decay,
        max_grad_norm=1.0,
        seed=recipe.seed,
        bf16=use_bf16(recipe.precision),
        use_cpu=not torch.accelerator.is_available(),
        **_checkpointing(stage.gradient_checkpointing),
        save_steps=stage.save_every,
        save_only_model=sharded,
        logging_steps=stage.log_every,
        ignore_data_skip=True,  # the mixture itself continues where the checkpoint stopped
        dataloader_num_workers=recipe.workers,
        dataloader_persistent_workers=recipe.workers > 0,
        remove_unused_columns=False,
        report_to=trackers(recipe.report_to),
        run_name=f"{recipe.name}/{stage.name}",
        # Without `sync_each_batch` every process would hold whole gradients until the last micro-batch: 64 GiB of them
        # in stage II of the 7B model.
        accelerator_config={
            "use_seedable_sampler": False,
            "gradient_accumulation_kwargs": {"sync_each_batch": True} if sharded else None,
        },
        # A tower's last layers give no visual token; the decoder has no such parts, and looking for them costs time.
        ddp_find_unused_parameters=any(
            "vision_tower" in n for n, p in model.named_parameters() if p.requires_grad
        ),
    )
    before = BeforeFirstStep()
    trainer = PictureTrainer(
        model=model,
        args=arguments,
        train_dataset=pictures,
        data_collator=collate,
        callbacks=[LogFile(folder / "log.jsonl"), before],
        group_of=learning_rate_of,
        extra_losses=extra_losses,
        betas=stage.betas,
        told=told,
        watch=watch,
        zero=zero() if zero is not None and last is None else None,
    )
    before.trainer = trainer
    if last is not None and len(pictures) == 0:  # stopped after the last step, before the model was saved
        trainer._load_from_checkpoint(str(last))
    else:
        trainer.train(resume_from_checkpoint=str(last) if last is not None else None)


def _checkpointing(wanted: bool) -> dict[str, Any]:
    """The arguments for gradient checkpointing, which newer versions of Transformers name after activations."""
    known = TrainingArguments.__dataclass_fields__
    name = "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"
    return {name: wanted, f"{name}_kwargs": {"use_reentrant": False}}


def use_bf16(precision: str) -> bool:
    """Whether to compute in bfloat16: asked for, or "auto" where the GPU or CPU has instructions for it."""
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported()


def trackers(names: list[str]) -> list[str] | str:
    """What the Trainer is to report to.

    Raises:
        UserError: one of them is not installed.
    """
    from transformers.integrations import get_available_reporting_integrations

    known = get_available_reporting_integrations()
    for name in names:
        if name not in known:
            raise UserError(
                f"report_to: {name!r} is not installed (there is {', '.join(sorted(known)) or 'none'}): "
                f"pip install {name}, or leave it out"
            )
    return names or "none"
