"""The plan of a stage: everything computed, and the same as plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .fitting import Fit, Machine, best, fit_all, fit_asked, per_gpu, remedies
from .memory import STRATEGIES
from .schedule import Answering, Arithmetic, Schedule, arithmetic, schedule
from .stage import Parameters, StageSettings, parameters
from .units import GIB


@dataclass(frozen=True, slots=True)
class Plan:
    """What one stage needs on one machine."""

    stage: StageSettings
    machine: Machine
    parameters: Parameters
    schedule: Schedule
    arithmetic: Arithmetic
    answering: Answering | None
    fits: list[Fit]
    asked: Fit | None
    remedies: list[str]

    @property
    def best(self) -> Fit | None:
        runs = self.stage.runs
        return best([fit for fit in self.fits if fit.layout.strategy in runs]) or best(self.fits)

    def seconds(self, fit: Fit) -> float:
        """Of the whole stage."""
        return fit.seconds * self.schedule.steps

    def notes(self) -> list[str]:
        """What the numbers stand on."""
        stage, machine = self.stage, self.machine
        found = list(stage.notes)
        share = per_gpu(stage, machine.gpus)
        if share * machine.gpus != stage.batch_size:
            found.append(
                f"{stage.batch_size} samples do not divide among {machine.gpus} GPUs: memory is that of {share} on each"
            )
        sharded = (fit for fit in self.fits if fit.layout.sharded and fit.layout.gpus > 1)
        if any(fit.fits and fit.accumulation > 1 for fit in sharded):
            found.append(
                "gradients stay spread while FSDP2 accumulates (Accelerate's sync_each_batch: skymoe train sets it); "
                "without it each GPU would hold whole ones"
            )
        if any(fit.layout.expert_groups > 1 for fit in self.fits):
            groups = next(fit.layout.expert_groups for fit in self.fits if fit.layout.expert_groups > 1)
            own = stage.architecture.experts // groups
            found.append(
                f"ep{groups}: {groups} GPUs share the experts, {own} of a layer's on each; tokens are taken to be "
                "spread evenly over them"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values: parameters, bytes, FLOP, seconds."""
        stage, model, chosen = self.stage, self.stage.architecture, self.best
        return {
            "stage": stage.name,
            "about": stage.about,
            "model": {
                "name": model.name,
                "decoder": asdict(model.decoder),
                "tower": asdict(model.tower),
                "image_tokens": model.image_tokens,
                "experts": model.experts,
                "top_k": model.top_k,
                "expert_layers": list(model.expert_layers),
            },
            "settings": {
                "trains": list(stage.trains) if stage.trains is not None else None,
                "frozen": list(stage.frozen),
                "lora": asdict(stage.lora) if stage.lora else None,
                "precision": asdict(stage.precision),
                "text_tokens": stage.text_tokens,
                "answer_tokens": stage.answer_tokens,
                "padded": stage.padded,
                "experts_kernel": stage.kernel,
            },
            **({"rs_moe": more} if (more := stage.more()) else {}),
            "parameters": {**asdict(self.parameters), "frozen": self.parameters.frozen},
            "schedule": asdict(self.schedule),
            "flop_per_step": {
                **asdict(self.arithmetic),
                "total": self.arithmetic.total(False),
                "total_with_checkpointing": self.arithmetic.total(True),
            },
            "answering": {**asdict(self.answering), "ratio_to_dense": self.answering.ratio}
            if self.answering
            else None,
            "machine": {**asdict(self.machine), "usable": self.machine.usable},
            "layouts": [self._layout(fit, fit is chosen) for fit in self.fits],
            "as_the_recipe_says": self._layout(self.asked, False) if self.asked else None,
            "fits": chosen is not None,
            "remedies": self.remedies,
            "notes": self.notes(),
        }

    def _layout(self, fit: Fit, chosen: bool) -> dict[str, Any]:
        memory = fit.memory
        return {
            "strategy": fit.layout.strategy,
            "expert_groups": fit.layout.expert_groups,
            "checkpointing": fit.checkpointing,
            "micro_batch": fit.micro,
            "accumulation": fit.accumulation,
            "fits": fit.fits,
            "chosen": chosen,
            "peak": memory.peak,
            "peak_gib": round(memory.peak / GIB, 2),
            "peak_at": memory.worst,
            "state": memory.state,
            "weights": memory.weights,
            "gradients": memory.gradients,
            "optimizer": memory.optimizer,
            "activations": memory.activations,
            "working": memory.working,
            "moments": memory.moments,
            "host": memory.host,
            "sent_per_step": fit.sent,
            "seconds_per_step": fit.seconds,
            "computing_per_step": fit.computing,
            "sending_per_step": fit.sending,
            "seconds": self.seconds(fit),
            "gpu_hours": self.seconds(fit) * self.machine.gpus / 3600,
        }


def make_plan(
    stage: StageSettings,
    machine: Machine,
    strategies: tuple[str, ...] = tuple(STRATEGIES),
    checkpointing: bool | None = None,
    micro: int | None = None,
) -> Plan:
    """Plan one stage.

    Raises:
        UserError: nothing trains, no steps are known, or the strategies are impossible on that machine.
    """
    counted = parameters(stage)
    fits = fit_all(stage, machine, strategies, checkpointing, micro)
    return Plan(
        stage=stage,
        machine=machine,
        parameters=counted,
        schedule=schedule(stage),
        arithmetic=arithmetic(stage),
        answering=stage.answered(),
        fits=fits,
        asked=fit_asked(stage, machine),
        remedies=remedies(stage, machine, fits),
    )
