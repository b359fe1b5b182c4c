"""A plug-in for lmms-eval: its users run our model by name, and our benchmarks as tasks, scored by our code.

The model is found by an entry point of this package (group `lmms_eval.models`); tasks lmms-eval only finds in folders:
`skymoe eval --questions FOLDER` writes one, for its `--include_path`.

model.py  the model as lmms-eval wants it    tasks.py  what the tasks' YAML names    writing.py  the YAML
"""

from __future__ import annotations

from typing import Any


def manifest() -> Any:
    """What the entry point gives: the model `skymoe` and where its class is. Called by lmms-eval alone."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id="skymoe", simple_class_path="skymoe.evaluation.lmms.model.SkyMoeModel")
