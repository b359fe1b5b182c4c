from __future__ import annotations

from typing import Any

import pytest

from skymoe.evaluation.intervals import wilson


def made_result(task: str, metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What `skymoe eval` says of one benchmark."""
    return {
        "title": "A benchmark", "source": "aid", "split": "test", "pictures": 40, "official_pictures": None,
        "subset": False, "note": "", "task": task, "protocol": "standard", "n": 40, "unparsable": 0.0,
        "metrics": metrics, "by": {}, "notes": {}, "implementation": {"skymoe": "0"}, **more,
    }  # fmt: skip


def made_report(**results: dict[str, Any]) -> dict[str, Any]:
    """A report of these results (names with _ for -)."""
    settings = {"split": "test", "constrained": True, "num_beams": 5, "baselines": True, "seed": 0}
    return {
        "model": {"name": "m", "weights": "0123"},
        "settings": settings,
        "versions": {"skymoe": "0"},
        "results": {name.replace("_", "-"): result for name, result in results.items()},
        "skipped": {},
    }


@pytest.fixture
def scenes() -> dict[str, Any]:
    """A report of AID's scenes by both protocols: standard 0.5, paper 0.9."""
    own = {"accuracy": wilson(20, 40), "mean_class_recall": wilson(20, 40)}
    paper = {"unparsable": 0.0, "metrics": {"accuracy": wilson(36, 40)}, "by": {}, "notes": {}}
    return made_report(aid_rsicd_test=made_result("classify", own, paper=paper))
