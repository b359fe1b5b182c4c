"""Our model as lmms-eval wants it: requests in, texts out. Imported by lmms-eval alone, which must be installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmms_eval.api.model import lmms

import skymoe
from skymoe.engine.answering import CAPTION_BEAMS
from skymoe.errors import UserError
from skymoe.evaluation.lmms.tasks import PREFIX, query


class SkyMoeModel(lmms):
    """``--model skymoe --model_args pretrained=nano,typed=true``.

    Our own tasks are answered as `skymoe eval` has them answered, under the form of their answers (``typed=false``: as
    free text); anything else in the words of its task, as free text. One picture a question.
    """

    is_simple = True

    def __init__(
        self,
        pretrained: str = "nano",
        device: str | None = "auto",
        dtype: str = "auto",
        batch_size: int | str = 32,
        typed: bool | str = True,
        max_batch_size: int | None = None,
    ) -> None:
        super().__init__()
        self.engine = skymoe.load(pretrained, device=device or "auto", dtype=dtype)
        # lmms-eval's own default is 1; answers do not depend on it.
        self.engine.batch_size = int(batch_size) if str(batch_size).isdecimal() else 32
        self.typed = str(typed).lower() not in ("false", "0", "no")

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """The answers to the requests, in their order."""
        found: list[str] = []
        size = self.engine.batch_size
        for start in range(0, len(requests), size):
            part = requests[start : start + size]
            texts = self._answer(part)
            for request, text in zip(part, texts, strict=True):
                self.cache_hook.add_partial("generate_until", request.args[:2], text)
            found += texts
        return found

    def _answer(self, requests: Sequence[Any]) -> list[str]:
        texts: dict[int, str] = {}
        typed: dict[bool, list[tuple[int, Any, Any]]] = {True: [], False: []}
        for place, request in enumerate(requests):
            context, _, to_visual, number, task, split = request.args
            document = self.task_dict[task][split][number]
            shown = [one for one in to_visual(document) or () if one is not None]
            if len(shown) != 1:
                raise UserError(
                    f"{task}: a question with {len(shown)} pictures; this model looks at exactly one"
                )
            if self.typed and str(task).startswith(PREFIX):
                asked = query(document)
                typed[asked.task == "caption"].append((place, shown[0], asked))
            else:
                texts[place] = self.engine.ask(shown[0], context).text
        for captions, jobs in typed.items():
            if jobs:
                places, images, queries = zip(*jobs, strict=True)
                answers = self.engine.answer(
                    list(images), list(queries), num_beams=CAPTION_BEAMS if captions else 1
                )
                texts |= {place: answer.text for place, answer in zip(places, answers, strict=True)}
        return [texts[place] for place in range(len(requests))]

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Not offered: tasks of this kind compare probabilities of given texts."""
        raise UserError("this model answers in words: choose tasks of the kind generate_until")

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Not offered: the model answers single questions."""
        raise UserError("this model answers single questions: choose tasks of one round")
