"""How long answers take: cold, warm, in batches, and many questions on one picture. Prints JSON.

    python benchmarks/answer.py [--model nano] [--repeats 3] [--threads 2]

Seconds are the best of the repeats: on a shared machine the fastest run is the one least disturbed. "plain" is
Transformers as its documentation shows it (processor, then `generate`, one call a question) with the same weights,
threads and limits; its answers are compared with the engine's free ones letter by letter.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import skymoe  # before torch, as a user does: it says how threads wait

QUESTIONS = (
    [f"Is there {thing} in the image?" for thing in ("a storage tank", "an airplane", "a river", "a bridge", "a ship")]
    + [f"How many {things} are there?" for things in ("storage tanks", "airplanes", "buildings", "cars", "trees")]
    + ["What is the theme of this picture?", "What is this?", "Scene type?", "Describe this image."]
    + ["Any ships here?"]
    + ["Where is the largest storage tank?", "Where is the top-left storage tank?", "Is it a port?"]
    + ["Count the planes."]
    + ["What does this satellite image show?"]
)  # fmt: skip
BATCHES = (1, 8, 32)


def best(repeats: int, action: Callable[[], Any], before: Callable[[], Any] = lambda: None) -> float:
    """Seconds of the fastest run; ``before`` prepares each one and is not counted."""
    times = []
    for _ in range(repeats):
        before()
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def cold(model: str, picture: str, repeats: int, threads: int) -> dict[str, float]:
    """A whole `skymoe ask` in a new process, and how much of it is the import of torch and Transformers alone."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}

    def run(*command: str) -> None:
        subprocess.run([sys.executable, *command], env=environment, check=True, capture_output=True)

    imports = "import torch, transformers; from transformers import LlavaForConditionalGeneration"
    return {
        "ask_seconds": best(
            repeats, lambda: run("-m", "skymoe", "ask", picture, QUESTIONS[0], "--model", model)
        ),
        "imports_of_torch_and_transformers_seconds": best(repeats, lambda: run("-c", imports)),
        "help_seconds": best(repeats, lambda: run("-m", "skymoe", "--help")),
    }


def warm(engine: Any, picture: Any, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds of one answer on a loaded model, with a picture it sees for the first time and one it remembers."""
    from skymoe.tasks import Query

    actions = {
        "ask": lambda: engine.ask(picture, QUESTIONS[0]),
        "caption_beams": lambda: engine.caption(picture),
        "caption_greedy": lambda: engine.caption(picture, num_beams=1),
        "classify": lambda: engine.classify(picture),
        "count": lambda: engine.count(picture, "storage tank"),
        "ground": lambda: engine.answer(picture, Query("ground", "the largest storage tank")),
    }
    return {
        name: {
            "new_picture": best(repeats, action, engine.prefixes.clear),
            "remembered_picture": best(repeats, action),
        }
        for name, action in actions.items()
    }


def decoding(engine: Any, picture: Any, repeats: int) -> dict[str, float]:
    """Tokens per second after the prompt, greedily, for 1 and for 32 answers at once; ends are ignored."""
    import torch

    from skymoe.engine.grammar import Anything
    from skymoe.engine.search import greedy
    from skymoe.tasks import Query

    length, found = 32, {}
    for rows in (1, 32):
        job = engine._typed(picture, Query("caption"))

        def run(rows: int = rows, job: Any = job) -> float:
            started, logits = engine._start([job] * rows, length)
            start = time.perf_counter()
            for _ in greedy(started, logits, [Anything()] * rows, [length] * rows, frozenset()):
                pass
            return time.perf_counter() - start

        with torch.inference_mode():
            # The first token comes from the prompt's own pass.
            found[f"tokens_per_second_{rows}_at_once"] = (
                rows * (length - 1) / min(run() for _ in range(repeats))
            )
    return found


def batches(engine: Any, pictures: list[Any], repeats: int) -> dict[str, dict[str, float]]:
    """New pictures answered per second."""
    found: dict[str, dict[str, float]] = {}
    for size in BATCHES:
        batch = pictures[:size]
        actions = {
            "classify": lambda batch=batch: engine.classify(batch),
            "caption_greedy": lambda batch=batch: engine.caption(batch, num_beams=1),
            "caption_beams": lambda batch=batch: engine.caption(batch),
        }
        found[str(size)] = {
            f"{name}_images_per_second": size / best(repeats, action, engine.prefixes.clear)
            for name, action in actions.items()
        }
    return found


def twenty_questions(engine: Any, picture: Any, repeats: int) -> dict[str, Any]:
    """20 questions on one new picture: by the engine, and one plain `generate` call after the other."""
    import torch

    from skymoe.engine.jobs import limit
    from skymoe.tasks import Query, get_task

    task, processor, model = get_task("vqa"), engine.processor, engine.model
    queries = [Query("vqa", question) for question in QUESTIONS]

    def plain(query: Query) -> str:
        messages = task.messages(query)
        text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        inputs = processor(images=picture.picture, text=text, return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            out = model.generate(
                **inputs.to(model.device), do_sample=False, max_new_tokens=limit(task.shape(query))
            )
        return processor.tokenizer.decode(
            out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        ).strip()

    def ours(constrained: bool = False) -> list[str]:
        return [answer.text for answer in engine.answer(picture, queries, constrained=constrained)]

    engine.prefixes.clear()
    same = ours() == [plain(query) for query in queries]
    plain_seconds = best(repeats, lambda: [plain(query) for query in queries])
    ours_seconds = best(repeats, ours, engine.prefixes.clear)
    one_by_one = best(
        repeats,
        lambda: [engine.answer(picture, query, constrained=False) for query in queries],
        engine.prefixes.clear,
    )
    return {
        "questions": len(queries),
        "plain_generate_seconds": plain_seconds,
        "engine_seconds": ours_seconds,
        "engine_one_after_the_other_seconds": one_by_one,
        "engine_typed_answers_seconds": best(repeats, lambda: ours(True), engine.prefixes.clear),
        "times_faster": plain_seconds / ours_seconds,
        "times_faster_one_after_the_other": plain_seconds / one_by_one,
        "same_answers": same,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

    import numpy as np
    import torch
    import transformers
    from PIL import Image

    from skymoe.demo import pictures
    from skymoe.engine.opened import opened

    assert len(QUESTIONS) == 20
    torch.set_num_threads(options.threads)
    start = time.perf_counter()
    engine = skymoe.load(options.model, device=options.device)
    loading = time.perf_counter() - start
    paths = pictures()
    first = opened(paths[0])
    noise = np.random.default_rng(0)
    # Every picture of a batch must be another one, or it would be encoded once.
    grain = noise.integers(0, 16, (max(BATCHES), 64, 64, 3), dtype=np.uint8)
    many = [
        opened(
            Image.fromarray(
                np.kron(one, np.ones((4, 4, 1), np.uint8)) ^ np.asarray(first.picture.resize((256, 256)))
            )
        )
        for one in grain
    ]
    engine.ask(first, QUESTIONS[0])  # lazy initialisations are nobody's answer
    result = {
        "benchmark": "answer",
        "model": options.model,
        "device": str(engine.decoder.device),
        "threads": options.threads,
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "load_seconds_imports_included": loading,
        "cold": cold(options.model, str(paths[0]), options.repeats, options.threads),
        "warm_seconds": warm(engine, first, options.repeats),
        "decoding": decoding(engine, first, options.repeats),
        "batches": batches(engine, many, options.repeats),
        "twenty_questions": twenty_questions(engine, first, options.repeats),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
