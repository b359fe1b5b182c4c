"""What the experts are asked before the answer, and their findings.

Shapes: B rows, E experts, T tokens of the longest task, F tokens of a finding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skymoe.errors import UserError

from .configuration_rsmoe import RsMoeConfig
from .instruction_router import Told

WORDS = "{words}"


@dataclass(frozen=True, slots=True)
class TaskTokens:
    """Token lists for `RsMoeConfig`: `head` before the picture; `tasks` per expert [without words, before the words,
    after them]; `words` per expert and word; `separator` between words."""

    head: list[int]
    tasks: list[list[list[int]]]
    words: list[list[list[int]]]
    separator: list[int]

    def settings(self) -> dict[str, Any]:
        """As arguments of `RsMoeConfig`."""
        return {
            "prompt_head_ids": self.head,
            "expert_task_ids": self.tasks,
            "prompt_word_ids": self.words,
            "word_separator_ids": self.separator,
        }


def plain_task(task: str) -> str:
    """A task as it is asked without told words: what stands in brackets is left out."""
    return _parts(task)[0]


def worded_task(task: str, words: list[str]) -> str:
    """A task as a person reads it, with the told words in their place."""
    plain, before, after = _parts(task)
    return f"{before}{', '.join(words)}{after}" if words else plain


def _parts(task: str) -> tuple[str, str, str]:
    """(without words, before the words, after them) of "Which objects?[ Look for {words}.]"."""
    head, opened, rest = task.partition("[")
    optional, closed, tail = rest.partition("]")
    if not opened or not closed or optional.count(WORDS) != 1 or WORDS in head + tail:
        raise UserError(
            f"expert task {task!r} must have one part in brackets with {WORDS} in it, such as [ Look for {WORDS}.]"
        )
    before, _, after = optional.partition(WORDS)
    return head + tail, head + before, after + tail


def task_tokens(processor: Any, tasks: list[str], words: list[list[str]]) -> TaskTokens:
    """The tasks and words in the processor's chat template and vocabulary.

    Words are tokenised behind the text they follow, so that they are the tokens of running text.

    Raises:
        UserError: a task without its place for words.
    """
    tokenizer = processor.tokenizer
    opening, closing = processor.frame()
    picture, _, rest = opening.partition(processor.image_token)

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    def after(text: str, more: str) -> list[int]:
        known, whole = ids(text), ids(text + more)
        if whole[: len(known)] != known:  # it joins the two into one token: then each by itself
            return ids(more)
        return whole[len(known) :]

    begin = tokenizer.bos_token
    head = ids(picture)
    if not (begin and picture.startswith(begin)):  # as the engine does: the begin token must not come twice
        head = list(tokenizer(picture)["input_ids"]) if picture else [tokenizer.bos_token_id] * bool(begin)
    task_ids, word_ids = [], []
    separator: list[int] = []
    for task, told in zip(tasks, words, strict=True):
        plain, before, behind = _parts(task)
        space = " " * before.endswith(" ")
        start = rest + before.removesuffix(" ")
        word_ids.append([after(start, space + word) for word in told])
        example = start + space + (told[0] if told else "it")
        separator = after(example, ",")
        task_ids.append([ids(rest + plain + closing), ids(start), after(example, behind + closing)])
    return TaskTokens(head, task_ids, word_ids, separator)


def task_rows(config: RsMoeConfig, told: Told, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids (B, E, T) of what each expert is asked, padded on the left, and their mask, 0 for padding."""
    rows = [[_task(config, expert, words) for expert, words in enumerate(row)] for row in told]
    longest = max((len(ids) for row in rows for ids in row), default=0)
    pad = pad_id(config)
    ids_BET = torch.tensor([[[pad] * (longest - len(ids)) + ids for ids in row] for row in rows])
    mask_BET = torch.tensor([[[0] * (longest - len(ids)) + [1] * len(ids) for ids in row] for row in rows])
    return ids_BET.to(device), mask_BET.to(device)


def _task(config: RsMoeConfig, expert: int, told: list[int]) -> list[int]:
    plain, before, after = config.expert_task_ids[expert]
    if not told:
        return list(plain)
    words = [list(config.prompt_word_ids[expert][word]) for word in told]
    said = [token for word in words[:-1] for token in [*word, *config.word_separator_ids]]
    return [*before, *said, *words[-1], *after]


def pad_id(config: RsMoeConfig) -> int:
    """The token that fills findings up to F: the decoder's pad token, or its end token where it has none."""
    pad = config.text_config.pad_token_id  # type: ignore[union-attr]
    return pad if pad is not None else end_ids(config)[0]


def end_ids(config: RsMoeConfig) -> list[int]:
    """The tokens that end a finding."""
    end = config.text_config.eos_token_id  # type: ignore[union-attr]
    return list(end) if isinstance(end, (list, tuple)) else [end]


__all__ = [
    "TaskTokens",
    "end_ids",
    "pad_id",
    "plain_task",
    "task_rows",
    "task_tokens",
    "worded_task",
]
