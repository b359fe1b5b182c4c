"""Stage II starts where stage I ended: asked of the very model that is about to learn, before its first step."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skymoe.errors import UserError
from skymoe.models.skymoe import SkyMoeForConditionalGeneration
from skymoe.models.whole_weights import read_model

from .processes import by_one, state

log = logging.getLogger(__name__)
# Largest difference of a logit, as a part of the largest logit. Measured on random models: 1e-6 in float32. In bfloat16
# the kernels of FFN and experts round differently; a block that is scaled by 2/8, as Eq. 4 is printed, is off by 0.3.
ALLOWED = {False: 1e-3, True: 5e-2}


class StepZero:
    """The dense model's logits (answer tokens, V) of one batch, which the upcycled model has to give, too."""

    def __init__(self, dense: str, upcycled: Path, batch: dict[str, Any], bf16: bool) -> None:
        self.dense, self.upcycled, self.bf16 = dense, upcycled, bf16
        device = state().device
        self.batch = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in batch.items()}
        self.file = upcycled.with_name(f"{upcycled.name}.step0.pt")
        by_one(self._ask_dense)
        self.expected: Tensor = torch.load(self.file, map_location="cpu", weights_only=True)

    def _ask_dense(self) -> None:
        dtype = torch.bfloat16 if self.bf16 else torch.float32
        model = read_model(SkyMoeForConditionalGeneration, self.dense, dtype=dtype).to(state().device)
        torch.save(
            self._logits(model.eval(), torch.autocast(state().device.type, dtype, enabled=self.bf16)),
            self.file,
        )

    def _logits(self, model: Any, context: AbstractContextManager[Any]) -> Tensor:
        with torch.no_grad(), context:
            return model(**self.batch)["logits"].float().cpu()

    def check(self, model: Any, context: Callable[[], AbstractContextManager[Any]]) -> float:
        """Ask the model (all processes must), compare; returns the difference found.

        Raises:
            UserError: the model does not compute what the dense one did.
        """
        training = model.training
        model.eval()
        got = self._logits(model, context())
        model.train(training)
        largest = self.expected.abs().max().item()
        difference = (got - self.expected).abs().max().item() / largest
        if not difference <= ALLOWED[self.bf16]:
            raise UserError(
                f"{self.upcycled} does not start where {self.dense} ended: its answers' logits are off by "
                f"{difference:.2g} of the largest (allowed {ALLOWED[self.bf16]}); delete it and run again"
            )
        log.info("step 0: logits as %s, off by %.1e of the largest", self.dense, difference)
        return difference

    def forget(self) -> None:
        by_one(lambda: self.file.unlink(missing_ok=True))
