"""From jobs, questions on pictures, to answers: in batches, over closed lists, under grammars, or freely."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from skymoe.answer import Answer
from skymoe.engine.decoder import decoder_of
from skymoe.engine.grammar import Anything, Grammar, Rule, Text, Vocabulary
from skymoe.engine.jobs import LONGEST_REPLY, Job, limit
from skymoe.engine.labels import Trie, label_log_probabilities
from skymoe.engine.prefixes import PrefixStore
from skymoe.engine.prompting import Prompter
from skymoe.engine.proposals import Proposals
from skymoe.engine.rows import Rows
from skymoe.engine.search import Spoken, beam_search, greedy
from skymoe.errors import UserError
from skymoe.models.fitness import longest_read
from skymoe.tasks import AnswerShape, Box, FreeText, Integer, OneOf, get_task

# Chosen on nano's validation pictures: the library's 1.0 favours captions that go on too long.
LENGTH_PENALTY = 0.5
ANSWER_BEAMS = 4
REMEMBERED_BYTES = 256 * 2**20
LISTS_KEPT = 256
LARGEST_LISTED = 99


class Speaking:
    """A model with its processor, and how it is brought to answer jobs. What users call is `SkyMoe`."""

    def __init__(self, model: Any, processor: Any, name: str = "", *, batch_size: int = 32) -> None:
        self.model = model.eval()
        self.processor = processor
        self.name = name
        self.batch_size = batch_size
        self.decoder = decoder_of(model, processor)
        longest = longest_read(model.config.get_text_config()) - LONGEST_REPLY
        self.prompter = Prompter(processor, longest)
        self.prefixes = PrefixStore(self.decoder, processor, REMEMBERED_BYTES)
        self.proposals = Proposals(model, self.prefixes)
        ends = model.generation_config.eos_token_id
        ends = processor.tokenizer.eos_token_id if ends is None else ends
        self.stop = frozenset(ends if isinstance(ends, list) else [ends])
        self._rules: dict[AnswerShape | None, Rule] = {None: Anything()}
        self._tries: dict[tuple[str, ...], Trie] = {}

    def _answer(
        self, jobs: list[Job], constrained: bool, num_beams: int, explain: bool = False
    ) -> list[Answer]:
        """Answer jobs as one batch for each closed list, one for counts, and one for all the rest.

        A box is chosen among what the tower proposes where it knows the object asked for: every picture's own list.
        """
        if explain and not self.decoder.explains:
            raise UserError(
                f"model {self.name!r} has no experts that report what they found: ask without explain"
            )
        batches: dict[tuple[int, OneOf | Integer | None, bool], list[int]] = defaultdict(list)
        found: dict[int, Answer] = {}
        for n, job in enumerate(jobs):
            closed = job.shape if constrained and isinstance(job.shape, OneOf | Integer) else None
            boxes = (
                self.proposals.of(job.picture, job.query)
                if constrained and isinstance(job.shape, Box)
                else {}
            )
            if boxes:
                found[n] = self._choose([job], tuple(boxes), torch.tensor(list(boxes.values())))[0]
            else:
                typed = constrained and not job.own_words
                short = typed and job.query.task == "vqa" and isinstance(job.shape, FreeText)
                batches[len(job.prompt.prefix), closed, short].append(n)
        for (_, closed, short), members in batches.items():
            chosen = [jobs[n] for n in members]
            if isinstance(closed, OneOf):
                answers = self._choose(chosen, closed.labels)
            elif closed is not None:
                answers = self._number(chosen, closed)
            elif short and num_beams == 1:
                # Short answers are all-or-nothing: the most probable whole one, whatever its first word or length.
                answers = self._say(chosen, constrained, ANSWER_BEAMS, length_penalty=0.0)
            else:
                answers = self._say(chosen, constrained, num_beams)
            found |= dict(zip(members, answers, strict=True))
        answers = [found[n] for n in range(len(jobs))]
        if not explain:
            return answers
        explained = self.prefixes.explanations([job.picture for job in jobs], [job.prompt for job in jobs])
        return [one.replace(explanation=told) for one, told in zip(answers, explained, strict=True)]

    def _choose(
        self, jobs: Sequence[Job], labels: tuple[str, ...], prior: Tensor | None = None
    ) -> list[Answer]:
        """The most probable label of a closed list; ``prior`` (labels,) is added to their log-probabilities."""
        answers = []
        for job, scores in zip(jobs, self._scores(jobs, labels), strict=True):
            scores = scores if prior is None else scores + prior.to(scores.device)
            chance, best = scores.softmax(dim=-1).max(dim=-1)
            answers.append(self._parsed(job, labels[int(best)], chance.item()))
        return answers

    def _number(self, jobs: Sequence[Job], shape: Integer) -> list[Answer]:
        """The median of the model's own distribution: the count with the smallest expected error.

        The distribution is exact up to ``LARGEST_LISTED``; where the model means something beyond, it spells it out.
        """
        numbers = tuple(map(str, range(min(shape.max, LARGEST_LISTED) + 1)))
        answers: list[Answer | None] = []
        for job, scores in zip(jobs, self._scores(jobs, numbers), strict=True):
            chances = scores.softmax(dim=-1)
            median = int((chances.cumsum(dim=-1) < 0.5).sum().clamp(max=len(numbers) - 1))
            meant = scores.exp().sum() >= 0.5
            answers.append(self._parsed(job, numbers[median], chances[median].item()) if meant else None)
        spelt = iter(self._say([job for job, a in zip(jobs, answers, strict=True) if a is None], True, 1))
        return [next(spelt) if answer is None else answer for answer in answers]

    def _say(
        self, jobs: Sequence[Job], constrained: bool, num_beams: int, length_penalty: float = LENGTH_PENALTY
    ) -> list[Answer]:
        if not jobs:
            return []
        rules = [self._rule(job.shape if constrained else None) for job in jobs]
        *_, spoken = self._search(jobs, rules, num_beams, length_penalty)
        return [
            self._parsed(job, self._text(said), math.exp(said.log_probability))
            for job, said in zip(jobs, spoken, strict=True)
        ]

    @torch.inference_mode()
    def _scores(self, jobs: Sequence[Job], labels: tuple[str, ...]) -> Tensor:
        """log p(label, end) of each label for each job, (R, labels)."""
        if labels not in self._tries:
            if len(self._tries) >= LISTS_KEPT:  # every user may bring lists of their own
                self._tries.clear()
            self._tries[labels] = Trie.of(self.prompter.answers(jobs[0].messages, labels, min(self.stop)))
        trie = self._tries[labels]
        rows, logits = self._start(jobs, len(trie.tokens))
        return label_log_probabilities(rows, logits, trie)

    def _search(
        self,
        jobs: Sequence[Job],
        rules: Sequence[Rule],
        num_beams: int,
        length_penalty: float = LENGTH_PENALTY,
    ) -> Iterator[list[Spoken]]:
        if num_beams < 1:
            raise UserError(f"num_beams={num_beams}: give 1 (greedy) or more")
        limits = [limit(job.shape) for job in jobs]
        rows, logits = self._start(jobs, max(limits))
        if num_beams == 1:
            return greedy(rows, logits, rules, limits, self.stop)
        return beam_search(rows, logits, rules, limits, self.stop, num_beams, length_penalty)

    @torch.inference_mode()
    def _start(self, jobs: Sequence[Job], room: int) -> tuple[Rows, Tensor]:
        """The questions of the jobs read after their pictures; logits (R, V) of their answers' first tokens."""
        prompts = [job.prompt for job in jobs]
        prefixes = self.prefixes.get([job.picture for job in jobs], prompts)
        rows = Rows(self.decoder, prefixes, max(len(prompt.question) for prompt in prompts) + room)
        return rows, rows.read([prompt.question for prompt in prompts])

    def _rule(self, shape: AnswerShape | None) -> Rule:
        if shape not in self._rules:
            device, special = self.decoder.device, self.prompter.special_ids
            size = self.decoder.vocabulary
            if isinstance(shape, Integer | Box):
                vocabulary = Vocabulary(self.processor.tokenizer, size, special, self.stop)
                self._rules[shape] = Grammar(shape, vocabulary, device)
            else:
                self._rules[shape] = Text(size, special - self.stop, device)
        return self._rules[shape]

    def _text(self, spoken: Spoken) -> str:
        return self.processor.tokenizer.decode(list(spoken.tokens), skip_special_tokens=True).strip()

    def _parsed(self, job: Job, text: str, confidence: float) -> Answer:
        width, height = job.picture.size
        answer = get_task(job.query.task).parse(text, width=width, height=height, labels=job.query.labels)
        if not answer.parsed and job.own_words:  # what the question asked for was only a guess
            answer = get_task("vqa").parse(text, width=width, height=height)
        return answer.replace(confidence=confidence)
