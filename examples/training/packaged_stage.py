"""Write an early stage's model out of a packaged one, where a recipe's finished stage has it.

python examples/training/packaged_stage.py tower   runs/nano/tower/model           nano's vision tower
python examples/training/packaged_stage.py encoder runs/rs-moe-nano/encoder/model  rs-moe-nano without its experts

It is what the recipe's own stage made, rounded to half precision. Later stages leave it as it is, but for the tower's
few norms and position embeddings, which went on learning with the decoder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import PreTrainedModel

import skymoe
from skymoe.models.rsmoe import RsMoeConfig, RsMoeForConditionalGeneration, RsMoeProcessor
from skymoe.models.skymoe import SkyMoeForConditionalGeneration
from skymoe.models.whole_weights import read_model, read_processor
from skymoe.train.recipe_rsmoe import SPECIAL

ASSETS = Path(skymoe.__file__).parent / "assets"


def tower(target: Path) -> None:
    model = read_model(SkyMoeForConditionalGeneration, ASSETS / "nano", dtype=torch.float32)
    whole: PreTrainedModel = model.model.vision_tower
    whole.save_pretrained(target)


def encoder(target: Path) -> None:
    whole = read_model(RsMoeForConditionalGeneration, ASSETS / "rs-moe-nano", dtype=torch.float32)
    told = whole.config.to_dict()
    for name in ("expert_names", "expert_tasks", "prompt_words", "expert_task_ids", "prompt_word_ids"):
        told[name] = []
    made = RsMoeForConditionalGeneration(RsMoeConfig(**told))
    kept = {
        name: value for name, value in whole.state_dict().items() if not any(part in name for part in SPECIAL)
    }
    made.load_state_dict(kept)
    made.save_pretrained(target)
    processor = read_processor(ASSETS / "rs-moe-nano", RsMoeProcessor)
    processor.image_tokens = made.config.image_seq_length
    processor.save_pretrained(target)


def main() -> None:
    stages = {"tower": tower, "encoder": encoder}
    if len(sys.argv) != 3 or sys.argv[1] not in stages:
        sys.exit(__doc__)
    target = Path(sys.argv[2])
    if target.exists():
        sys.exit(f"{target} is there already: name another folder, or delete it")
    stages[sys.argv[1]](target)
    print(target)


if __name__ == "__main__":
    main()
