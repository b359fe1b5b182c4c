"""torch.compile, layer by layer: what is alike is compiled once, which takes a fraction of what the whole model would
take, and rows of other lengths do not have it made anew."""

from __future__ import annotations

import logging
import shutil

import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from skymoe.errors import UserError

log = logging.getLogger(__name__)


def compile_layers(model: nn.Module) -> int:
    """Have the layers of tower and decoder compiled when they first run, in place: names, weights and checkpoints stay
    as they are. Returns how many.

    Raises:
        UserError: on a CPU there is no C++ compiler, which PyTorch needs there.
    """
    if not torch.accelerator.is_available() and not any(map(shutil.which, ("g++", "clang++", "c++"))):
        raise UserError("compile: true needs a C++ compiler on a CPU: install g++, or leave compile out")
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    for layer in layers:
        # Rows of a batch differ in length from step to step.
        layer.compile(dynamic=True)
    log.info("%d layers are compiled at their first step, which takes a while", len(layers))
    return len(layers)
