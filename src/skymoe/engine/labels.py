"""The exact probability of every label of a closed list (or of every count), in one pass.

The labels' tokens are merged into a trie, and the trie is laid out as one sequence after the prompt: each token sees
the prompt and its own ancestors only. So every label gets its full log-probability, end token included, and the most
probable label is found, which walking down the trie token by token would not guarantee.

Shapes: R rows, N tokens of the trie, E edges (one per token of a label, ends included), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from skymoe.engine.rows import Rows


@dataclass(frozen=True)
class Trie:
    """``tokens[n]`` follows node ``parents[n]`` (−1: the prompt); label i is said along the edges with ``owners`` i."""

    tokens: list[int]
    parents: list[int]
    depths: list[int]
    edges: list[tuple[int, int]]  # (node that predicts, token predicted)
    owners: list[int]
    size: int

    @classmethod
    def of(cls, answers: Sequence[tuple[int, ...]]) -> Trie:
        """The trie of the labels' token sequences, each with its end token."""
        tokens: list[int] = []
        parents: list[int] = []
        depths: list[int] = []
        edges: list[tuple[int, int]] = []
        owners: list[int] = []
        nodes: dict[tuple[int, int], int] = {}
        for owner, answer in enumerate(answers):
            node = -1
            for depth, token in enumerate(answer):
                edges.append((node, token))
                owners.append(owner)
                if depth == len(answer) - 1:
                    break
                if (node, token) not in nodes:
                    nodes[node, token] = len(tokens)
                    tokens.append(token)
                    parents.append(node)
                    depths.append(depth)
                node = nodes[node, token]
        return cls(tokens, parents, depths, edges, owners, len(answers))

    def lineage(self) -> Tensor:
        """(N, N): whether a token sees another one, that is itself and its ancestors."""
        sees = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):  # parents come before their children
            if parent >= 0:
                sees[node] |= sees[parent]
        return sees


def label_log_probabilities(rows: Rows, logits_RV: Tensor, trie: Trie) -> Tensor:
    """log p(label, end | picture, question), (R, labels); ``logits_RV`` are those after the prompt."""
    device = logits_RV.device
    predicting = torch.tensor([node + 1 for node, _ in trie.edges], device=device)
    predicted = torch.tensor([token for _, token in trie.edges], device=device)
    owners = torch.tensor(trie.owners, device=device)
    hidden = None
    if trie.tokens:
        ids, depths = torch.tensor(trie.tokens, device=device), torch.tensor(trie.depths, device=device)
        hidden = rows.look(ids, depths, trie.lineage().to(device))
    scores = []
    # Row by row: with a large vocabulary the logits of all rows at once would fill the memory.
    for row in range(len(logits_RV)):
        logits = logits_RV[row : row + 1]
        if hidden is not None:
            logits = torch.cat([logits, rows.logits(hidden[row], row)])
        edges_E = logits.log_softmax(dim=-1)[predicting, predicted]
        scores.append(torch.zeros(trie.size, device=device).index_add_(0, owners, edges_E))
    return torch.stack(scores)
