"""A benchmark as a task of lmms-eval: YAML beside the file of its questions."""

from __future__ import annotations

from pathlib import Path

from skymoe.evaluation.benchmarks import Benchmark
from skymoe.evaluation.engines.asking import LONGEST
from skymoe.evaluation.lmms.tasks import PREFIX, attribute
from skymoe.evaluation.scoring import LOWER_IS_BETTER

_TASKS = "skymoe.evaluation.lmms.tasks"
_HEAD = """\
# {title}: {note}
# Written by `skymoe eval --questions`. Run it with: python -m lmms_eval --include_path FOLDER --tasks {task} …
task: {task}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {questions}
test_split: test
output_type: generate_until
doc_to_visual: !function {module}.pictures
doc_to_text: !function {module}.words
doc_to_target: !function {module}.target
process_results: !function {module}.results
generation_kwargs:
  max_new_tokens: {longest}
  temperature: 0
  do_sample: false
metric_list:
"""


def task_name(benchmark: Benchmark) -> str:
    """What lmms-eval knows it by: `skymoe_dior-rsvg`."""
    return f"{PREFIX}{benchmark.name}"


def write_task(benchmark: Benchmark, questions: Path, boxes: str = "geochat") -> Path:
    """Write the YAML beside the file of questions; ``boxes`` is the notation that boxes will be read in."""
    lines = [
        _HEAD.format(
            title=benchmark.title, note=" ".join(benchmark.note.split()), task=task_name(benchmark), module=_TASKS,
            questions=questions.resolve(), longest=LONGEST[benchmark.task],
        )
    ]  # fmt: skip
    for metric in benchmark.metrics:
        better = "false" if metric in LOWER_IS_BETTER else "true"
        function = f"{_TASKS}.{attribute(metric, boxes)}"
        lines.append(
            f'  - metric: "{metric}"\n    aggregation: !function {function}\n    higher_is_better: {better}\n'
        )
    path = questions.with_suffix(".yaml")
    path.write_text("".join(lines), encoding="utf-8")
    return path
