"""Started twice by torchrun in test_expert_parallel.py: each process holds half of the experts, writes what it saw."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from transformers.distributed import DistributedConfig

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from models.tiny_models import answer_labels, left_padded, pixels, question
from skymoe.models.skymoe import SkyMoeForConditionalGeneration


def main(folder: str) -> None:
    inputs = left_padded([question(9, 0), question(6, 1)]) | {"pixel_values": pixels(2)}
    inputs["labels"] = answer_labels(inputs["input_ids"])
    whole = SkyMoeForConditionalGeneration.from_pretrained(folder).eval()
    with torch.no_grad():
        wanted = whole(**inputs)
    for name, layout in {
        "tensor": DistributedConfig(ep_size=2, tp_size=2, tp_plan="auto"),
        "fsdp": DistributedConfig(ep_size=2, fsdp_size=2),
    }.items():
        model = SkyMoeForConditionalGeneration.from_pretrained(folder, distributed_config=layout).eval()
        with torch.no_grad():
            got = model(**inputs)
        experts = model.model.language_model.layers[0].mlp.experts
        seen = {
            "layout": name,
            "experts": experts.gate_up_proj.to_local().shape[0],
            "logits": (got.logits - wanted.logits).abs().max().item(),
            "loss": abs((got.loss - wanted.loss).item()),
        }
        (Path(folder) / f"{name}-{dist.get_rank()}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
