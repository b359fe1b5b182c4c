"""The packaged models in the ordinary Transformers way, with no argument but where they are: half-precision weights and
the float32 pictures of their processor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import skymoe

ASSETS = Path(skymoe.__file__).parent / "assets"
PICTURE = ASSETS / "demo" / "airplane.jpg"
# What the models said of this picture before, given dtype=torch.float32.
SAID = {
    "nano": "an airplane is stopped at the airport.",
    "rs-moe-nano": "there are some airplanes in the airport.",
}
ASKED = """
import sys
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, pipeline
import skymoe.auto
path, picture = sys.argv[1:]
processor = AutoProcessor.from_pretrained(path)
model = AutoModelForImageTextToText.from_pretrained(path)
content = [{"type": "image", "image": Image.open(picture)}, {"type": "text", "text": "Describe the image."}]
messages = [{"role": "user", "content": content}]
inputs = processor.apply_chat_template(
    messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
)
said = model.generate(**inputs, max_new_tokens=32)[0, inputs["input_ids"].shape[1] :]
print(processor.decode(said, skip_special_tokens=True))
answers = pipeline("image-text-to-text", model=path)(text=messages, return_full_text=False)
print(answers[0]["generated_text"])
"""


@pytest.mark.parametrize("name", SAID)
def test_it_answers_and_nothing_is_warned_of(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", ASKED, ASSETS / name, PICTURE],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [SAID[name]] * 2
    heard = [line for line in done.stderr.splitlines() if line.strip() and "Loading weights" not in line]
    assert heard == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_tower_takes_pictures_of_another_precision(dtype: torch.dtype) -> None:
    model = skymoe.load("nano", dtype=str(dtype).removeprefix("torch.")).model
    pixels_13HW = torch.zeros(1, 3, 256, 256)
    assert model.get_image_features(pixels_13HW).pooler_output[0].dtype == dtype
