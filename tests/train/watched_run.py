"""Trains by the recipe of a YAML file as one of several processes and writes to `watched.json` in its output how
weights are held: in which formats at rest and gathered, and how many whole gradients wait between micro-batches."""

from __future__ import annotations

import json
import sys
from typing import Any

from torch import nn
from torch.distributed.fsdp import FSDPModule

from skymoe.train import trainer
from skymoe.train.processes import state
from skymoe.train.recipe import load_recipe
from skymoe.train.stages import Training


def sharded_parameters(model: nn.Module) -> list[Any]:
    """FSDP2's own records of the parameters that it shares out."""
    found = []
    for module in model.modules():
        if isinstance(module, FSDPModule):
            for group in module._get_fsdp_state()._fsdp_param_groups:
                found += group.fsdp_params
    return found


def holds_whole_gradient(record: Any) -> bool:
    whole = getattr(record, "_unsharded_param", None)
    waiting = whole is not None and whole.grad is not None
    return waiting or record.unsharded_accumulated_grad is not None


class Watched(trainer.PictureTrainer):
    seen: dict[str, Any] = {"micro_batches": 0, "whole_gradients": 0, "gathered": set()}

    def training_step(self, model: nn.Module, *args: Any, **kwargs: Any) -> Any:
        loss = super().training_step(model, *args, **kwargs)
        records = sharded_parameters(model)
        self.seen["micro_batches"] += 1
        self.seen["whole_gradients"] += sum(holds_whole_gradient(one) for one in records)
        self.seen["gathered"] |= {name(one.param_dtype or one.orig_dtype) for one in records}
        formats: dict[str, set[str]] = {"learning": set(), "frozen": set()}
        for weight in model.parameters():
            formats["learning" if weight.requires_grad else "frozen"].add(name(weight.dtype))
        self.seen["at_rest"] = {kind: sorted(found) for kind, found in formats.items()}
        return loss


def name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def main(path: str) -> None:
    trainer.PictureTrainer = Watched  # type: ignore[misc]
    recipe = load_recipe(path)
    Training(recipe).run()
    if state().is_main_process:
        told = Watched.seen | {"gathered": sorted(Watched.seen["gathered"])}
        (recipe.output / "watched.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
