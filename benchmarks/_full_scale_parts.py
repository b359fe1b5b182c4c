"""The parts of `full_scale.py`, each run in a process of its own: one that runs out of memory loses only itself.

S tokens of a prompt (picture and question), B samples.
"""

from __future__ import annotations

import gc
import statistics
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from skymoe.models.cache_name import CACHE
from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration
from skymoe.train.planning.architecture import Architecture, architecture
from skymoe.train.planning.known import CLIP_LARGE, DECODERS, EXPERTS_AND_ROUTERS
from skymoe.train.planning.memory import Estimator, Layout
from skymoe.train.planning.rehearsal import Rehearsal, configuration
from skymoe.train.planning.schedule import answering, arithmetic
from skymoe.train.planning.stage import PRECISIONS, StageSettings
from skymoe.train.planning.tensors import count, weights

GIB = 2**30
TEXT_TOKENS = 64
KERNELS = ("grouped_mm", "eager", "batched_mm")
SPARE = 0.9  # of what is free may be planned with: fragments, kernels' own memory
TINY_TEXT = {
    "vocab_size": 320, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4,
}  # fmt: skip
TINY_TOWER = {
    "model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 2, "image_size": 56, "patch_size": 14,
}  # fmt: skip


def model_of(options: Namespace, experts: int, layers: int | None = None) -> Architecture:
    """SkyMoE-7B with CLIP-L/14 at 504 pixels, dense (0 experts) or with experts in every second layer."""
    text = TINY_TEXT if options.tiny else {"vocab_size": 32000, **DECODERS["skymoe-7b"]}
    text = {"model_type": "llama", **text}
    if layers is not None:
        text["num_hidden_layers"] = layers
    config = {
        "model_type": "skymoe", "text_config": text, "num_experts": experts,
        "vision_config": TINY_TOWER if options.tiny else CLIP_LARGE,
    }  # fmt: skip
    return architecture(config, "tiny" if options.tiny else "skymoe-7b")


def build(model: Architecture, device: torch.device) -> SkyMoeForConditionalGeneration:
    """Random weights in bfloat16, made where they stay: nothing is read and nothing passes through main memory."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with device:
            config: SkyMoeConfig = configuration(model)
            return SkyMoeForConditionalGeneration(config).eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(before)


def answer(options: Namespace) -> dict[str, Any]:
    """Dense and mixture beside each other: prefill of a picture with a question, and the tokens of its answer."""
    device = torch.device(options.device)
    dense_kind, mixture_kind = model_of(options, 0), model_of(options, 8)
    need = sum(2 * count(weights(kind)) for kind in (dense_kind, mixture_kind))
    if reason := too_large(need, device):
        return {"skipped": f"both models: {reason}"}
    dense, mixture = build(dense_kind, device), build(mixture_kind, device)
    needs = answering(mixture_kind, TEXT_TOKENS), answering(dense_kind, TEXT_TOKENS)
    report: dict[str, Any] = {
        "parameters": {"dense": count(weights(dense_kind)), "mixture": count(weights(mixture_kind))},
        "prompt_tokens": needs[0].tokens,
        "theory": {
            "prefill_ratio": needs[0].prefill_last / needs[1].prefill_last,
            "weights_read_ratio_at_batch_1": needs[0].weights_read / needs[1].weights_read,
        },
        "prefill": [], "decode": [],
    }  # fmt: skip
    for batch in options.batches:
        inputs = prompts(mixture, batch, needs[0].tokens, device)
        cache = batch * needs[0].cache * 2  # both models' at the worst moment
        rows = (
            batch * needs[0].tokens * (2 * 3 * mixture_kind.decoder.width + 8 * mixture_kind.decoder.hidden)
        )
        reason = too_large(cache + 2 * rows, device)
        if reason:
            report["prefill"].append({"batch": batch, "skipped": reason})
            continue
        report["prefill"].append(
            tried(partial(prefill, options, dense, mixture, inputs, batch, needs), batch=batch)
        )
        report["decode"].append(
            tried(partial(decode, options, dense, mixture, mixture_kind, inputs, batch), batch=batch)
        )
    report["peak_gib"] = peak_gib(device)
    return report


def tried(call: Callable[[], dict[str, Any]], **what: Any) -> dict[str, Any]:
    """What `call` found; or that the memory did not do, with all that it took given back."""
    try:
        return {**what, **call()}
    except (torch.OutOfMemoryError, MemoryError) as error:
        reason = str(error).split(". ")[0]
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return {**what, "failed": f"out of memory: {reason}"}


def prompts(model: Any, batch: int, tokens: int, device: torch.device) -> dict[str, Any]:
    """The same question on B pictures of noise; (B, S) tokens, pixels (B, 3, H, W)."""
    image, side = model.config.image_token_id, model.config.vision_config.image_size
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(0, image, (batch, tokens), generator=generator)
    ids[:, 1 : 1 + tokens - TEXT_TOKENS] = image
    pixels = torch.randn(batch, 3, side, side, generator=generator).to(torch.bfloat16)
    return {"input_ids": ids.to(device), "pixel_values": pixels.to(device)}


@torch.inference_mode()
def prefill(
    options: Namespace, dense: Any, mixture: Any, inputs: dict[str, Any], batch: int, needs: tuple[Any, Any]
) -> dict[str, Any]:
    """The decoder on prompts whose pictures are encoded already, and the tower with the adaptor apart."""
    seen = mixture.get_image_features(pixel_values=inputs["pixel_values"])

    def decoder(model: Any, kernel: str | None = None) -> Callable[[], None]:
        def run() -> None:
            if kernel:
                model.set_experts_implementation(kernel)
            model(
                input_ids=inputs["input_ids"],
                mm_encoder_outputs={"image": seen},
                use_cache=True,
                logits_to_keep=1,
            )

        return run

    calls = {
        "tower": lambda: mixture.get_image_features(pixel_values=inputs["pixel_values"]),
        "dense": decoder(dense),
        **{f"mixture/{kernel}": decoder(mixture, kernel) for kernel in KERNELS if kernel != "batched_mm"},
    }
    times = in_turns(calls, options)
    flop = {"tower": needs[0].tower, "dense": needs[1].prefill_last}
    tokens = batch * needs[0].tokens
    rows = {}
    for name, seconds in times.items():
        done = batch * flop.get(name, needs[0].prefill_last)
        rows[name] = measured(seconds) | {
            "tflop_per_s": done / statistics.median(seconds) / 1e12,
            "tokens_per_s": tokens / statistics.median(seconds),
            "of_peak": share(done / statistics.median(seconds), options.peak),
            "ratio_to_dense": statistics.median(seconds) / statistics.median(times["dense"]),
        }
    return {"tokens": tokens, "rows": rows}


@torch.inference_mode()
def decode(
    options: Namespace, dense: Any, mixture: Any, kind: Architecture, inputs: dict[str, Any], batch: int
) -> dict[str, Any]:
    """Greedy tokens after the prompt, one forward pass each; the time of a pass, the prompt not counted."""
    rows: dict[str, Any] = {}
    copied = batch * kind.top_k * 3 * kind.decoder.width * kind.decoder.hidden * 2
    for name, model, kernel in (("dense", dense, None), *((f"mixture/{k}", mixture, k) for k in KERNELS)):
        if kernel == "batched_mm" and (reason := too_large(3 * copied, torch.device(options.device))):
            rows[name] = {"skipped": reason}
            continue
        if kernel:
            model.set_experts_implementation(kernel)
        rows[name] = tried(partial(told, model, inputs, options, batch))
    for row in rows.values():
        if "median_ms" in row and "median_ms" in rows["dense"]:
            row["ratio_to_dense"] = row["median_ms"] / rows["dense"]["median_ms"]
    return {"new_tokens": options.new_tokens, "rows": rows}


def told(model: Any, inputs: dict[str, Any], options: Namespace, batch: int) -> dict[str, float]:
    """The forward passes of one token each; the first two are warm-up."""
    out = model(**inputs, use_cache=True, logits_to_keep=1)
    seconds = []
    for _ in range(options.new_tokens + 2):
        token = out.logits[:, -1:].argmax(dim=-1)
        start = now(options.device)
        out = model(input_ids=token, **{CACHE: out[CACHE]}, use_cache=True, logits_to_keep=1)
        seconds.append(now(options.device) - start)
    return measured(seconds[2:]) | {"tokens_per_s": batch / statistics.median(seconds[2:])}


def stage_of(options: Namespace, layers: int) -> StageSettings:
    """Stage II of the paper on a model with that many decoder layers."""
    return StageSettings(
        "stage2", model_of(options, 8, layers), options.micro, trains=EXPERTS_AND_ROUTERS, steps=1,
        text_tokens=TEXT_TOKENS, answer_tokens=16, padded=False, precision=PRECISIONS["bf16"],
    )  # fmt: skip


def train(options: Namespace) -> dict[str, Any]:
    """Stage II's step (experts and routers learn, AdamW, gradient checkpointing) of the model with fewer layers."""
    device = torch.device(options.device)
    whole = model_of(options, 8)
    usable = options.memory * SPARE if options.memory else free(device) * SPARE
    for layers in range(min(options.layers, whole.decoder.layers), 1, -2):
        stage = stage_of(options, layers)
        planned = Estimator(stage).memory(Layout("ddp", 1), options.micro, True, False).peak
        if planned <= usable:
            break
    else:
        return {"skipped": f"not even two layers fit into {usable / GIB:.0f} GiB"}
    work = arithmetic(stage)
    report: dict[str, Any] = {
        "layers": layers, "layers_of_the_whole": whole.decoder.layers, "micro_batch": options.micro,
        "tokens": options.micro * stage.tokens, "parameters": count(stage.model_weights()),
        "planned_peak_gib": planned / GIB, "model_tflop": (work.forward + work.backward) / 1e12,
        "tflop_with_recomputation": work.total(True) / 1e12, "rows": {},
    }  # fmt: skip
    for kernel in ("grouped_mm", "eager"):
        report["rows"][kernel] = tried(partial(steps, replace(stage, kernel=kernel), options, work))
    return report


def steps(stage: StageSettings, options: Namespace, work: Any) -> dict[str, Any]:
    rehearsal = Rehearsal(stage, options.micro, 1, checkpointing=True, device=options.device)
    device = rehearsal.device
    rehearsal.step()  # makes AdamW's moments
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds = in_turns({"step": rehearsal.step}, options)["step"]
    median = statistics.median(seconds)
    return measured(seconds) | {
        "tokens_per_s": options.micro * stage.tokens / median,
        "model_tflop_per_s": (work.forward + work.backward) / median / 1e12,
        "mfu": share((work.forward + work.backward) / median, options.peak),
        "hfu": share(work.total(True) / median, options.peak),
        "peak_gib": peak_gib(device),
    }


def in_turns(calls: dict[str, Callable[[], Any]], options: Namespace) -> dict[str, list[float]]:
    """Seconds of every call in every round (A B C A B C …), after two rounds that do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(options.repeats + 2):
        for name, call in calls.items():
            start = now(options.device)
            call()
            if turn >= 2:
                seconds[name].append(now(options.device) - start)
            else:
                now(options.device)
    return seconds


def now(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def measured(seconds: list[float]) -> dict[str, float]:
    return {
        "median_ms": statistics.median(seconds) * 1e3,
        "min_ms": min(seconds) * 1e3,
        "rounds": len(seconds),
    }


def share(rate: float, peak: float | None) -> float | None:
    return rate / peak if peak else None


def free(device: torch.device) -> int:
    """Bytes that can still be taken."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info()[0]
    with suppress(OSError):
        with open("/proc/meminfo", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    return 8 * GIB


def too_large(need: float, device: torch.device) -> str | None:
    there = free(device) * SPARE
    return f"would take {need / GIB:.1f} GiB, {there / GIB:.1f} can be used" if need > there else None


def peak_gib(device: torch.device) -> float | None:
    """The most that tensors took so far; not known on a CPU."""
    return torch.cuda.max_memory_allocated() / GIB if device.type == "cuda" else None


PARTS = {"answer": answer, "train": train}
