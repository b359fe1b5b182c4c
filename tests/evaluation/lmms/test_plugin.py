"""The plug-in for lmms-eval: its tasks ask and score as `skymoe eval` does, and its model answers as ours does."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation.conftest import ByPixels
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import get_benchmark
from skymoe.evaluation.lmms import tasks
from skymoe.evaluation.questions import write_questions
from skymoe.evaluation.running import Settings, evaluate
from skymoe.evaluation.scoring import HEADLINES
from skymoe.pictures import open_sample

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("ucm-captions", "rsivqa-ucm", "airbus-count", "airbus-ground", "ucm-scenes")


class _Loader(yaml.SafeLoader):
    """Reads `!function module.name` as lmms-eval does: by importing it."""


def _function(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    module, _, name = loader.construct_scalar(node).rpartition(".")
    return getattr(importlib.import_module(module), name)


_Loader.add_constructor("!function", _function)


@pytest.mark.parametrize("name", NAMES)
def test_a_task_gives_the_numbers_of_skymoe_eval(
    name: str, miniatures: Path, tmp_path: Path, without_java: None
) -> None:
    benchmark, engine = get_benchmark(name), ByPixels()
    path, count = write_questions(tmp_path, benchmark, root=miniatures)
    task = yaml.load(path.with_suffix(".yaml").read_text(encoding="utf-8"), _Loader)
    assert task["task"] == f"skymoe_{name}"
    (file,) = task["dataset_kwargs"]["data_files"].values()
    documents = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
    assert len(documents) == count
    # As `datasets` gives them: every document has every field.
    fields = dict.fromkeys(field for document in documents for field in document)
    documents = [{**fields, **document} for document in documents]

    found: dict[str, list[Any]] = {}
    for document, item in zip(documents, benchmark.items(root=miniatures), strict=True):
        (picture,) = task["doc_to_visual"](document)
        assert picture.tobytes() == open_sample(item.sample).tobytes()
        assert task["doc_to_text"](document) == item.prompt
        assert tasks.words(document, {"post_prompt": " Think."}).endswith(" Think.")
        asked = tasks.query(document)
        assert (asked.task, asked.subject, asked.kind, asked.labels) == (
            item.query.task, item.query.subject if item.query.subject else None,
            item.query.kind if item.query.task == "vqa" else None, item.query.labels,
        )  # fmt: skip
        assert task["doc_to_target"](document)
        answer = engine.answer([picture], [item.query], num_beams=1)[0].text
        for metric, line in task["process_results"](document, [answer]).items():
            found.setdefault(metric, []).append(line)
    numbers = {one["metric"]: one["aggregation"](found[one["metric"]]) for one in task["metric_list"]}

    settings = Settings(num_beams=1, baselines=False)
    ours = evaluate(
        ByPixels(), {"name": "m", "weights": "0"}, [benchmark], tmp_path / "o", settings, root=miniatures
    )
    metrics = ours["results"][name]["metrics"]
    assert set(numbers) == set(HEADLINES[benchmark.task])
    for metric, value in numbers.items():
        if metric in metrics:
            assert value == metrics[metric]["value"], metric
        else:
            assert metric == "meteor"  # no Java here
            assert value != value


def test_every_aggregation_has_a_name_that_leads_to_it() -> None:
    for metrics in HEADLINES.values():
        for metric in metrics:
            for boxes in ("geochat", "qwen"):
                assert callable(getattr(tasks, tasks.attribute(metric, boxes)))
    with pytest.raises(AttributeError, match="aggregate_nonsense"):
        tasks.aggregate_nonsense  # noqa: B018


def test_questions_are_complete_without_the_data_set(official_miniatures: Path, tmp_path: Path) -> None:
    path, count = write_questions(tmp_path, get_benchmark("dota-v2"), root=official_miniatures, boxes="qwen")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert count == len(lines) > 0
    assert {"id", "question", "reference", "task", "subject", "image", "width", "height"} <= set(lines[0])
    assert all(Path(line["image"]).is_absolute() for line in lines)
    path, _ = write_questions(tmp_path, get_benchmark("dior-rsvg"), root=official_miniatures, boxes="qwen")
    assert "aggregate_acc_at_0_5__qwen" in path.with_suffix(".yaml").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="vrsbench"):
        write_questions(tmp_path, get_benchmark("vrsbench"), root=tmp_path)


def test_the_package_offers_the_model_as_an_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["lmms_eval.models"] == {"skymoe": "skymoe.evaluation.lmms:manifest"}


def test_lmms_eval_finds_the_model_and_runs_a_task_to_our_numbers(
    miniatures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_java: None
) -> None:
    """The real lmms-eval, from its registry to its results."""
    registry = pytest.importorskip("lmms_eval.models.registry_v2", reason="lmms-eval is not installed")
    pytest.importorskip("datasets", reason="lmms-eval is installed without datasets")
    evaluator = pytest.importorskip("lmms_eval.evaluator", reason="lmms-eval is not installed as a whole")
    from lmms_eval.tasks import TaskManager

    import skymoe
    from engine.tiny_model import build
    from skymoe.evaluation.lmms import manifest

    known = registry.ModelRegistryV2()
    known.register_manifest(manifest())
    assert known.get_model_class("skymoe").__name__ == "SkyMoeModel"
    monkeypatch.setattr("lmms_eval.models.MODEL_REGISTRY_V2", known)

    model = tmp_path / "model"
    for part in build():
        part.save_pretrained(model)
    chosen = [get_benchmark(name) for name in ("ucm-scenes", "airbus-count")]
    folder = tmp_path / "tasks"
    for benchmark in chosen:
        write_questions(folder, benchmark, root=miniatures)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    found = evaluator.simple_evaluate(
        model="skymoe", model_args=f"pretrained={model}", tasks=[f"skymoe_{b.name}" for b in chosen], batch_size=4,
        device="cpu", bootstrap_iters=0, task_manager=TaskManager(include_path=str(folder), include_defaults=False),
    )  # fmt: skip
    settings = Settings(baselines=False)
    ours = evaluate(
        skymoe.load(model), {"name": "m", "weights": "0"}, chosen, tmp_path / "out", settings, root=miniatures
    )
    for benchmark in chosen:
        theirs = found["results"][f"skymoe_{benchmark.name}"]
        for metric in benchmark.metrics:
            value = next(value for key, value in theirs.items() if key.split(",")[0] == metric)
            assert value == pytest.approx(ours["results"][benchmark.name]["metrics"][metric]["value"]), metric
