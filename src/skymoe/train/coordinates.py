"""Near misses of a coordinate are better than far ones, which plain cross-entropy over tokens doesn't know."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class CoordinateLoss:
    """Cross-entropy of the coordinate tokens against a bell of width `sigma` (in steps of 1/100) around the right one.

    Added to the loss of Eq. 6 with the same denominator, all answer tokens; other tokens add nothing. A vocabulary of
    one token per coordinate is needed.
    """

    def __init__(self, tokens: list[int], sigma: float) -> None:
        self.tokens = torch.tensor(tokens)
        steps = torch.arange(len(tokens), dtype=torch.float32)
        bell = torch.exp(-((steps[:, None] - steps) ** 2) / (2 * sigma**2))
        self.targets = bell / bell.sum(dim=1, keepdim=True)

    def __call__(self, logits_TV: Tensor, labels_T: Tensor) -> Tensor:
        tokens = self.tokens.to(labels_T.device)
        found = labels_T[:, None] == tokens
        row, coordinate = found.nonzero(as_tuple=True)
        log_probs = F.log_softmax(logits_TV[row][:, tokens].float(), dim=-1)
        return -(self.targets.to(log_probs.device)[coordinate] * log_probs).sum() / max(len(labels_T), 1)
