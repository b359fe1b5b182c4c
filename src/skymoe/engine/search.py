"""Greedy and beam search over rows. Both are generators: after each token they yield what is settled of every answer.

A row's answer depends on its own numbers alone, so a batch answers as its members would. Nothing is random.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from skymoe.engine.grammar import Rule
from skymoe.engine.rows import Rows


@dataclass(frozen=True, slots=True)
class Spoken:
    """Tokens of an answer, without the end, and its log-probability, with it.

    The probability of each token is renormalised over what its rule allowed. ``ended`` is False where the limit cut
    the answer off.
    """

    tokens: tuple[int, ...] = ()
    log_probability: float = 0.0
    ended: bool = False

    def then(self, token: int, log_probability: float, stop: frozenset[int]) -> Spoken:
        if token in stop:
            return Spoken(self.tokens, log_probability, True)
        return Spoken((*self.tokens, token), log_probability)


@torch.inference_mode()
def greedy(
    rows: Rows, logits_RV: Tensor, rules: Sequence[Rule], limits: Sequence[int], stop: frozenset[int]
) -> Iterator[list[Spoken]]:
    """The most probable token each time, at most ``limits[r]`` of them; ``logits_RV`` are those after the prompts."""
    spoken = [Spoken() for _ in rules]
    live = list(range(len(rules)))
    while live:
        scores = _log_probabilities(logits_RV, [(rules[row], spoken[row]) for row in live])
        best, tokens = scores.max(dim=-1)
        going = []
        for place, (row, token, score) in enumerate(zip(live, tokens.tolist(), best.tolist(), strict=True)):
            said = spoken[row].then(token, spoken[row].log_probability + score, stop)
            spoken[row] = said = _closed(said, rules[row])
            if not said.ended and len(said.tokens) < limits[row]:
                going.append(place)
        yield spoken
        live = [live[place] for place in going]
        if live:
            rows.select(going)
            logits_RV = rows.read([spoken[row].tokens[-1:] for row in live])


@torch.inference_mode()
def beam_search(
    rows: Rows,
    logits_RV: Tensor,
    rules: Sequence[Rule],
    limits: Sequence[int],
    stop: frozenset[int],
    beams: int,
    length_penalty: float = 1.0,
) -> Iterator[list[Spoken]]:
    """The best of ``beams`` parallel answers by log-probability / length ** ``length_penalty``.

    The rules are those of Transformers' beam search with ``early_stopping=False``, so that both give the same answers:
    of the 2·beams best continuations only the first ``beams`` may end, and a row is done when its best unfinished
    answer scores no better than its worst finished one. What is yielded before the end is what all candidates share.
    """
    prompt_end = rows.used
    running = [[Spoken()] for _ in rules]
    finished: list[list[tuple[float, Spoken]]] = [[] for _ in rules]
    live = list(range(len(rules)))
    length = 0
    while live:
        length += 1
        scores = _log_probabilities(logits_RV, [(rules[row], said) for row in live for said in running[row]])
        parents: list[int] = []
        offset = 0
        for row in live:
            before = running[row]
            totals = scores[offset : offset + len(before)] + scores.new_tensor(
                [[b.log_probability] for b in before]
            )
            best, index = totals.flatten().topk((1 + len(stop)) * beams)
            going: list[tuple[int, Spoken]] = []
            for rank, (total, place) in enumerate(zip(best.tolist(), index.tolist(), strict=True)):
                if total == -math.inf:
                    break
                beam, token = divmod(place, totals.shape[1])
                said = _closed(before[beam].then(token, total, stop), rules[row])
                if said.ended or length >= limits[row]:
                    if rank < beams:
                        finished[row].append((total / length**length_penalty, said))
                elif len(going) < beams:
                    going.append((offset + beam, said))
            offset += len(before)
            finished[row] = sorted(finished[row], key=lambda one: -one[0])[:beams]
            if going and len(finished[row]) == beams:
                possible = going[0][1].log_probability / length**length_penalty
                going = going if possible > finished[row][-1][0] else []
            running[row] = [said for _, said in going]
            parents += [place for place, _ in going]
        live = [row for row in live if running[row]]
        yield [
            finished[row][0][1] if not running[row] else _agreed(running[row], finished[row])
            for row in range(len(rules))
        ]
        if live:
            rows.select(parents, since=prompt_end)
            logits_RV = rows.read([said.tokens[-1:] for row in live for said in running[row]])


def _log_probabilities(logits_RV: Tensor, said: Sequence[tuple[Rule, Spoken]]) -> Tensor:
    biases = [rule.bias(spoken.tokens) for rule, spoken in said]
    if any(bias is not None for bias in biases):
        nothing = logits_RV.new_zeros(logits_RV.shape[1])
        logits_RV = logits_RV + torch.stack([nothing if bias is None else bias for bias in biases])
    return logits_RV.log_softmax(dim=-1)


def _closed(said: Spoken, rule: Rule) -> Spoken:
    """Where only the end can follow, its probability is 1 and it need not be said."""
    if not said.ended and rule.closed(said.tokens):
        return Spoken(said.tokens, said.log_probability, True)
    return said


def _agreed(running: Sequence[Spoken], finished: Sequence[tuple[float, Spoken]]) -> Spoken:
    """The beginning that all answers still possible have in common."""
    all_tokens = [said.tokens for said in running] + [said.tokens for _, said in finished]
    shared = 0
    for column in zip(*all_tokens, strict=False):
        if len(set(column)) > 1:
            break
        shared += 1
    return Spoken(all_tokens[0][:shared])
