"""RS-MoE's experts as one batch, against one after another and against threads. Prints JSON.

    python benchmarks/experts_parallel.py [--model rs-moe-nano] [--rounds 3] [--threads 2] [--batches 1,8]

Measured are the two places where all experts speak: their findings (one greedy decoding each) and the answer (at every
token the mixture of what all expect). "batch" is what the model does: E streams over shared weights, adapters stacked.
"one_by_one" runs E models that share the weights and have one adapter each, in turn; "threads" runs these in E threads.
In each round every way runs once, so that other load meets all alike; seconds are the best of the rounds. That all say
the same is checked before anything is timed.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import skymoe  # before torch, as a user does: it says how threads wait

Runner = Callable[[Sequence[Callable[[], Any]]], list[Any]]
LISTS = ("expert_names", "expert_tasks", "prompt_words", "expert_task_ids", "prompt_word_ids")


@dataclass(frozen=True)
class Part:
    """Some of the experts as a model of their own: `experts` are theirs, in the whole model's order."""

    model: Any
    experts: slice


def alone(model: Any, expert: int) -> Part:
    """The model with one expert only; everything but its adapters is shared with the whole."""
    import torch

    from skymoe.models.rsmoe.adapters import AdaptedLinear

    own = slice(expert, expert + 1)
    single = copy.deepcopy(model, {id(weight): weight for weight in (*model.parameters(), *model.buffers())})
    config = copy.deepcopy(model.config)
    for name in LISTS:
        setattr(config, name, list(getattr(config, name))[own])
    single.config = single.model.config = config
    single.model.language_model.streams = 1
    for module in single.modules():
        if isinstance(module, AdaptedLinear):
            module.experts = 1
            module.lora_a = torch.nn.Parameter(module.lora_a[own].detach(), requires_grad=False)
            module.lora_b = torch.nn.Parameter(module.lora_b[own].detach(), requires_grad=False)
    return Part(single, own)


def find(parts: Sequence[Part], run: Runner, encoded: Any, told: Any) -> Any:
    """Findings (B, E, F) of all experts."""
    import torch

    def one(part: Part) -> Any:
        from skymoe.models.rsmoe import Encoded

        mine = part.experts
        seen = Encoded(
            encoded.visual, encoded.prompts[:, mine], encoded.weights[:, mine], encoded.word_logits[:, mine]
        )
        return part.model.find(seen, [row[mine] for row in told])

    return torch.cat(run([lambda part=part: one(part) for part in parts]), dim=1)


def answer(parts: Sequence[Part], run: Runner, whole: Any, embeds: Any, weights: Any, length: int) -> Any:
    """The tokens (B, length) of a greedy answer whose end is ignored; `embeds` (B, E, S, D) are the prompts."""
    import torch
    from transformers.cache_utils import DynamicCache

    caches = [DynamicCache() for _ in parts]
    embed, said = whole.get_input_embeddings(), []
    for _ in range(length):

        def one(part: Part, cache: Any, embeds: Any = embeds) -> Any:
            given = embeds[:, part.experts]
            return part.model.model(given, cache=cache, use_cache=True).last_hidden_state[:, -1]

        hidden = run([lambda p=p, c=c: one(p, c) for p, c in zip(parts, caches, strict=True)])
        said.append(whole.logits(torch.cat(hidden, dim=1), weights).argmax(dim=-1))
        embeds = embed(said[-1])[:, None, None].expand(-1, weights.shape[1], 1, -1)
    return torch.stack(said, dim=1)


def measure(engine: Any, pictures: list[Any], rounds: int, length: int) -> dict[str, Any]:
    """All ways on one batch of pictures, each asked for a caption."""
    import torch

    from skymoe.tasks import Query

    model, processor, device = engine.model, engine.processor, engine.decoder.device
    prompt = engine._typed(pictures[0], Query("caption")).prompt
    asked = processor.instruction([processor.question(prompt.text)] * len(pictures))
    encoded = model.encode(
        engine.prefixes.pixels(pictures), asked["instruction_ids"].to(device), asked["instruction_mask"].to(device)
    )  # fmt: skip
    told, experts = model.told(encoded), model.config.num_experts
    singles = [alone(model, expert) for expert in range(experts)]
    whole = [Part(model, slice(0, experts))]
    ids = torch.tensor([prompt.tokens] * len(pictures), device=device)
    embeds = model.model.place(ids, encoded, model.find(encoded, told))

    def in_turn(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        return [job() for job in jobs]

    with ThreadPoolExecutor(experts, initializer=torch._C._set_grad_enabled, initargs=(False,)) as pool:

        def in_threads(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
            return [done.result() for done in [pool.submit(job) for job in jobs]]

        ways: dict[str, tuple[list[Part], Runner]] = {
            "batch": (whole, in_turn), "one_by_one": (singles, in_turn), "threads": (singles, in_threads),
        }  # fmt: skip
        actions: dict[str, Callable[[list[Part], Runner], Any]] = {
            "findings": lambda parts, run: find(parts, run, encoded, told),
            "answer": lambda parts, run: answer(parts, run, model, embeds, encoded.weights, length),
        }
        return {what: _timed(action, ways, rounds, device) for what, action in actions.items()}


def _timed(
    action: Callable[[list[Part], Runner], Any],
    ways: dict[str, tuple[list[Part], Runner]],
    rounds: int,
    device: Any,
) -> dict[str, Any]:
    import torch

    said = {way: action(*given).tolist() for way, given in ways.items()}  # also warms everything up
    seconds = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for way, given in ways.items():
            start = time.perf_counter()
            action(*given)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds[way] = min(seconds[way], time.perf_counter() - start)
    return {
        "seconds": seconds,
        "times_faster_than_one_by_one": {way: seconds["one_by_one"] / taken for way, taken in seconds.items()},
        "same": {way: tokens == said["batch"] for way, tokens in said.items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="rs-moe-nano")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--batches", default="1,8", help="Pictures answered at once.")
    parser.add_argument("--tokens", type=int, default=16, help="Tokens of an answer.")
    options = parser.parse_args()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

    import numpy as np
    import torch
    import transformers

    from skymoe.engine.opened import opened

    torch.set_num_threads(options.threads)
    engine = skymoe.load(options.model, device=options.device)
    if not engine.decoder.explains:
        sys.exit(f"model {options.model!r} has no experts beside each other: give an RS-MoE of stage II")
    grain = np.random.default_rng(0)
    found = {}
    with torch.inference_mode():
        for size in map(int, options.batches.split(",")):
            pictures = [opened(grain.integers(0, 256, (256, 256, 3), dtype=np.uint8)) for _ in range(size)]
            print(f"{size} at once …", file=sys.stderr)
            found[str(size)] = measure(engine, pictures, options.rounds, options.tokens)
    result = {
        "benchmark": "experts_parallel",
        "model": options.model,
        "experts": engine.model.config.num_experts,
        "finding_tokens": engine.model.config.finding_length,
        "answer_tokens": options.tokens,
        "device": str(engine.decoder.device),
        "threads": options.threads,
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "pictures_at_once": found,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
