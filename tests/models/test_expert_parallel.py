"""Expert parallelism comes from the library: two processes with half of the experts each compute the same."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers.distributed import DistributedConfig

from .tiny_models import skymoe

HAS_EP_SIZE = "ep_size" in {field.name for field in dataclasses.fields(DistributedConfig)}


@pytest.mark.slow
@pytest.mark.skipif(not HAS_EP_SIZE, reason="this Transformers has another way to ask for expert parallelism")
@pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch is built without distributed")
def test_two_processes_with_half_of_the_experts_each(tmp_path) -> None:
    skymoe().save_pretrained(tmp_path)
    script = Path(__file__).with_name("expert_parallel_run.py")
    launch = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(script),
        str(tmp_path),
    ]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *launch], env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for layout in ("tensor", "fsdp"):
        for rank in (0, 1):
            seen = json.loads((tmp_path / f"{layout}-{rank}.json").read_text())
            assert seen["experts"] == 2
            assert seen["logits"] < 1e-4
            assert seen["loss"] < 1e-5
