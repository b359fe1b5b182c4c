"""Any image-text-to-text model of the Transformers library, batched, with free decoding.

What the checkpoint brings decides how it is asked: its own processor prepares the picture, its own chat template words
the turn. Code of a checkpoint is never run (no `trust_remote_code`).
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList

from skymoe.answer import Answer
from skymoe.errors import UserError
from skymoe.evaluation.engines.asking import Asking
from skymoe.models.weight_files import weight_bytes
from skymoe.models.whole_weights import read_config, read_model, read_processor
from skymoe.tasks import Query

SMALL = 4 * 2**30
"""Weights up to this many bytes are computed with in float32, as the engine does with ours."""
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "typical_p")


class TransformersEngine:
    """Answers by `generate`, without sampling; everything else of its generation settings is the checkpoint's own.

    ``Answer.confidence`` is the probability of the whole answer, its end included, of greedy answers; None of beams.
    Questions are answered in batches of at most ``batch_size``, left-padded, those of a batch with the same limit.
    """

    typed = False

    def __init__(
        self, model: Any, processor: Any, *, batch_size: int = 8, asking: Asking | None = None
    ) -> None:
        self.model = model.eval()
        self.processor = processor
        self.batch_size = batch_size
        self.asking = asking or Asking()
        self.processor.tokenizer.padding_side = "left"
        if self.processor.tokenizer.pad_token is None:
            self.processor.tokenizer.pad_token = self.processor.tokenizer.eos_token
        self._seen: dict[tuple[int, int], tuple[int, int]] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """What besides the checkpoint decides the answers."""
        return {**self.asking.settings(), "dtype": str(self.model.dtype).removeprefix("torch.")}

    def question(self, query: Query) -> str:
        return self.asking.question(query)

    def input_size(self, width: int, height: int) -> tuple[int, int] | None:
        """What the model saw of pictures of this size, where its processor resizes them and tells: the frame of boxes
        in pixels. Known once such a picture was answered."""
        return self._seen.get((width, height))

    def answer(
        self,
        images: Sequence[Any],
        queries: Sequence[Query],
        *,
        constrained: bool = False,
        num_beams: int = 1,
    ) -> list[Answer]:
        """Answers to queries, pairwise with pictures; ``constrained`` has no meaning here."""
        by_limit: dict[int, list[int]] = defaultdict(list)
        for place, query in enumerate(queries):
            by_limit[self.asking.longest(query)].append(place)
        found: dict[int, Answer] = {}
        for limit, places in by_limit.items():
            for start in range(0, len(places), self.batch_size):
                part = places[start : start + self.batch_size]
                said = self._say([images[n] for n in part], [queries[n] for n in part], limit, num_beams)
                for place, (text, confidence) in zip(part, said, strict=True):
                    picture, query = images[place], queries[place]
                    answer = self.asking.read(query, text, picture, self.input_size(*picture.size))
                    found[place] = answer.replace(confidence=confidence)
        return [found[place] for place in range(len(queries))]

    @torch.inference_mode()
    def _say(
        self, images: Sequence[Image.Image], queries: Sequence[Query], limit: int, num_beams: int
    ) -> list[tuple[str, float | None]]:
        turns = [
            self._turn(image, self.question(query)) for image, query in zip(images, queries, strict=True)
        ]
        inputs = self.processor.apply_chat_template(
            turns, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt",
            processor_kwargs={"padding": True},
        )  # fmt: skip
        self._note_sizes(images, inputs)
        inputs = inputs.to(self.model.device, dtype=self.model.dtype)
        sure = _GreedyConfidence(self._ends(), len(images)) if num_beams == 1 else None
        output = self.model.generate(
            **inputs, max_new_tokens=limit, do_sample=False, num_beams=num_beams,
            logits_processor=LogitsProcessorList([sure] if sure else []), **dict.fromkeys(_SAMPLING),
        )  # fmt: skip
        answers = output[:, inputs["input_ids"].shape[1] :]
        texts = self.processor.batch_decode(answers, skip_special_tokens=True)
        chances = sure.confidences() if sure else [None] * len(texts)
        return [(text.strip(), chance) for text, chance in zip(texts, chances, strict=True)]

    @staticmethod
    def _turn(image: Image.Image, question: str) -> list[dict[str, Any]]:
        content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
        return [{"role": "user", "content": content}]

    def _note_sizes(self, images: Sequence[Image.Image], inputs: Any) -> None:
        grids, patch = (
            inputs.get("image_grid_thw"),
            getattr(self.processor.image_processor, "patch_size", None),
        )
        if grids is not None and isinstance(patch, int):
            for image, (_, high, wide) in zip(images, grids.tolist(), strict=True):
                self._seen[image.size] = (wide * patch, high * patch)

    def _ends(self) -> list[int]:
        ends = self.model.generation_config.eos_token_id
        ends = self.processor.tokenizer.eos_token_id if ends is None else ends
        return ends if isinstance(ends, list) else [] if ends is None else [ends]


class _GreedyConfidence(LogitsProcessor):
    """Sums the log-probability of the most probable token until a row has ended; it changes no scores."""

    def __init__(self, ends: Sequence[int], rows: int) -> None:
        self.ends = ends
        self.total: list[float] = [0.0] * rows
        self.ended = [False] * rows

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        best, chosen = scores.log_softmax(dim=-1).max(dim=-1)  # (R,)
        for row, (chance, token) in enumerate(zip(best.tolist(), chosen.tolist(), strict=True)):
            if not self.ended[row]:
                self.total[row] += chance
                self.ended[row] = token in self.ends
        return scores

    def confidences(self) -> list[float]:
        return [math.exp(total) for total in self.total]


def load(
    directory: str | os.PathLike[str],
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    batch_size: int = 8,
    asking: Asking | None = None,
) -> TransformersEngine:
    """The engine of a checkpoint's directory; ``dtype`` None is float32 for small models, else bfloat16.

    Raises:
        UserError: in one line, where Transformers does not know the model, a file is missing or damaged, or there is
            no chat template.
    """
    import transformers

    folder = Path(directory)
    try:
        # First, because its error names the kind of the model; a processor's only says that there is none.
        read_config(folder)
        processor: Any = read_processor(folder, local_files_only=True)
        precision = dtype or (torch.float32 if weight_bytes(folder) <= SMALL else torch.bfloat16)
        model = read_model(
            transformers.AutoModelForImageTextToText, folder, dtype=precision, local_files_only=True
        )
    except UserError:
        raise
    except (
        Exception
    ) as error:  # missing files, unknown kinds, missing packages: the library raises nearly anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        hint = "is a file missing or damaged, or Transformers too old?"
        if "trust_remote_code" in str(error):
            hint = "it brings code, which is not run here: serve it (vLLM …) and give its address."
        elif "torchvision" in str(error).lower():
            hint = "install torchvision."
        raise UserError(f"model {str(folder)!r} cannot be loaded; {hint} {reason}") from error
    if getattr(processor, "image_processor", None) is None or getattr(processor, "tokenizer", None) is None:
        raise UserError(
            f"model {str(folder)!r}: its processor reads no pictures; give an image-text-to-text model"
        )
    if getattr(processor, "chat_template", None) is None and processor.tokenizer.chat_template is None:
        raise UserError(f"model {str(folder)!r} has no chat template: add a chat_template.jinja")
    return TransformersEngine(model.to(device), processor, batch_size=batch_size, asking=asking)
