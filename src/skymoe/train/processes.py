"""Several processes, one training: who we are, whom to wait for, and how a batch is divided.

`torchrun --nproc-per-node 8 -m skymoe train RECIPE` starts them; without it there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from math import gcd
from typing import Any

import torch

from skymoe.errors import UserError

from .recipe_stages import Stage

# How long the others wait for what one does: upcycling, merging and writing a large model takes more than the ten
# minutes that are usual.
PATIENCE = timedelta(hours=4)


def state() -> Any:
    """Accelerate's view of the processes; the first call joins them (gloo without a GPU)."""
    from accelerate import PartialState

    return PartialState(cpu=not torch.accelerator.is_available(), timeout=PATIENCE)


def by_one(work: Callable[[], Any]) -> None:
    """What is done once for all: by the first process, while the others wait."""
    processes = state()
    if processes.is_main_process:
        work()
    processes.wait_for_everyone()


def sharding(parallel: str, experts: int, bf16: bool = False) -> Any:
    """How the library is to share a model's weights out (`from_pretrained(distributed_config=…)`); None: not at all.

    `experts` is how many each of the model's expert layers has, 0 for a dense one, whose weights alone are sharded.
    With `bf16` a layer's weights are gathered in bfloat16, in which they compute, and gradients are added up in
    float32: half the traffic and half of what a gathered layer takes.

    Raises:
        UserError: the experts can't be shared out.
    """
    processes = state().num_processes
    if parallel == "ddp" or processes == 1:
        return None
    from transformers.distributed import DistributedConfig

    groups = gcd(processes, experts) if parallel == "experts" and experts else 1
    if parallel == "experts" and experts and groups == 1:
        raise UserError(
            f"parallel: {processes} processes can't share {experts} experts: take a number of processes that has a "
            "divisor in common with it, or parallel: fsdp"
        )
    return DistributedConfig(fsdp_size=processes, ep_size=groups, fsdp_mixed_precision=bf16)


def shares(stage: Stage, processes: int) -> tuple[int, int]:
    """Pictures that a process takes at a time, and how many times before the optimizer steps.

    Raises:
        UserError: the batch can't be divided so.
    """
    if stage.batch_size % processes:
        raise UserError(
            f"stage {stage.name!r}: batch_size={stage.batch_size} can't be shared by {processes} processes: "
            f"choose a multiple of {processes}"
        )
    mine = stage.batch_size // processes
    micro = min(stage.micro_batch or mine, mine)
    if mine % micro:
        raise UserError(
            f"stage {stage.name!r}: each of {processes} processes has {mine} pictures of a batch, "
            f"which micro_batch={micro} does not divide"
        )
    return micro, mine // micro
