"""`SkyMoe`: a loaded model that answers. Pictures and questions in, `Answer`s out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, overload

import torch
from torch import Tensor

from skymoe.answer import Answer
from skymoe.engine.decoder import decoder_of
from skymoe.engine.grammar import Anything, Grammar, Rule, Text, Vocabulary, longest_answer
from skymoe.engine.labels import Trie, label_log_probabilities
from skymoe.engine.opened import Opened, Source, opened
from skymoe.engine.own_labels import classify_query
from skymoe.engine.prefixes import PrefixStore
from skymoe.engine.prompting import Messages, Prompt, Prompter
from skymoe.engine.proposals import Proposals
from skymoe.engine.rows import Rows
from skymoe.engine.search import Spoken, beam_search, greedy
from skymoe.errors import UserError
from skymoe.tasks import AnswerShape, Box, FreeText, Integer, OneOf, Query, get_task, read_request

# A picture may also come ready opened, so that a caller can tell first which files are no pictures.
One = Source | Opened
Many = list[Any] | tuple[Any, ...]
CAPTION_BEAMS = 5
# Chosen on nano's validation pictures: the library's 1.0 favours captions that go on too long.
LENGTH_PENALTY = 0.5
ANSWER_BEAMS = 4
LONGEST_REPLY = 64
REMEMBERED_BYTES = 256 * 2**20
LISTS_KEPT = 256
LARGEST_LISTED = 99


@dataclass(frozen=True)
class _Job:
    """One question on one picture."""

    picture: Opened
    query: Query
    messages: Messages
    prompt: Prompt
    shape: AnswerShape
    own_words: bool = False


class SkyMoe:
    """Answers questions about pictures.

    A picture is a path, bytes, a PIL image or a uint8 array (H, W) or (H, W, 3 or 4). Every method takes one picture
    and gives one `Answer`, or takes a list and gives a list, answered in batches. An answer does not depend on what
    else is asked, and the same question gets the same answer.

    Of a closed list the most probable label is chosen, of the counts the median of the model's own distribution: the
    number with the smallest expected error. A typed short answer is the most probable whole one (beams, no premium on
    length), a box of what the tower knows the most probable of those that it proposes.

    ``Answer.confidence`` is the probability of the whole answer, its end included: for lists, counts and proposed boxes
    normalised over all of them, for other boxes renormalised at each token over what the form allows, else the model's
    own.
    """

    def __init__(self, model: Any, processor: Any, name: str = "", *, batch_size: int = 32) -> None:
        self.model = model.eval()
        self.processor = processor
        self.name = name
        self.batch_size = batch_size
        self.decoder = decoder_of(model, processor)
        longest = model.config.get_text_config().max_position_embeddings - LONGEST_REPLY
        self.prompter = Prompter(processor, longest)
        self.prefixes = PrefixStore(self.decoder, processor, REMEMBERED_BYTES)
        self.proposals = Proposals(model, self.prefixes)
        ends = model.generation_config.eos_token_id
        ends = processor.tokenizer.eos_token_id if ends is None else ends
        self.stop = frozenset(ends if isinstance(ends, list) else [ends])
        self._rules: dict[AnswerShape | None, Rule] = {None: Anything()}
        self._tries: dict[tuple[str, ...], Trie] = {}

    @property
    def tasks(self) -> frozenset[str]:
        """The tasks that the model was made for; the others are refused."""
        return self.decoder.tasks

    # --- the five tasks ------------------------------------------------------------------------------------------

    @overload
    def ask(self, image: One, question: str, *, num_beams: int = 1, explain: bool = False) -> Answer: ...
    @overload
    def ask(
        self, image: Many, question: str, *, num_beams: int = 1, explain: bool = False
    ) -> list[Answer]: ...
    def ask(self, image: Any, question: str, *, num_beams: int = 1, explain: bool = False) -> Any:
        """Answer a question in the user's own words, which reach the model as they are; the answer is free text."""
        pictures = [image] if _is_one(image) else list(image)
        found: list[Answer] = []
        for part in _parts(len(pictures), self.batch_size):
            found += self._answer(
                [self._own_words(opened(p), question) for p in pictures[part]], True, num_beams, explain
            )
        return found[0] if _is_one(image) else found

    @overload
    def caption(self, image: One, *, num_beams: int = CAPTION_BEAMS, explain: bool = False) -> Answer: ...
    @overload
    def caption(
        self, image: Many, *, num_beams: int = CAPTION_BEAMS, explain: bool = False
    ) -> list[Answer]: ...
    def caption(self, image: Any, *, num_beams: int = CAPTION_BEAMS, explain: bool = False) -> Any:
        """One sentence about the picture."""
        return self._each(image, Query("caption"), num_beams, explain)

    @overload
    def classify(self, image: One, labels: Sequence[str] | None = None) -> Answer: ...
    @overload
    def classify(self, image: Many, labels: Sequence[str] | None = None) -> list[Answer]: ...
    def classify(self, image: Any, labels: Sequence[str] | None = None) -> Any:
        """The most probable scene of ``labels`` (the trained ones where none are given)."""
        return self._each(image, classify_query(labels))

    @overload
    def count(self, image: One, subject: str) -> Answer: ...
    @overload
    def count(self, image: Many, subject: str) -> list[Answer]: ...
    def count(self, image: Any, subject: str) -> Any:
        """How many of ``subject`` ("storage tank") the picture shows."""
        return self._each(image, Query("count", subject))

    @overload
    def ground(self, image: One, phrase: str) -> Answer: ...
    @overload
    def ground(self, image: Many, phrase: str) -> list[Answer]: ...
    def ground(self, image: Any, phrase: str) -> Any:
        """The box of the one object that ``phrase`` names ("the largest storage tank"), in the picture's pixels."""
        return self._each(image, Query("ground", phrase))

    def rank(self, image: One, labels: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """All labels with their probabilities, which sum to 1, the most probable first."""
        job = self._typed(opened(image), classify_query(labels))
        assert isinstance(job.shape, OneOf)
        chances = self._scores([job], job.shape.labels)[0].softmax(dim=-1).tolist()
        names = job.query.labels or job.shape.labels
        return sorted(zip(names, chances, strict=True), key=lambda one: -one[1])

    # --- any queries ---------------------------------------------------------------------------------------------

    def answer(
        self,
        images: Any,
        queries: Query | Sequence[Query],
        *,
        constrained: bool = True,
        num_beams: int = 1,
        wording: str = "canonical",
        explain: bool = False,
    ) -> list[Answer]:
        """Answer queries of any task: n on one picture, one on n pictures, or n on n pictures pairwise.

        Args:
            constrained: decode under the form of the task's answers, so that they always parse; False lets the model
                say what it likes.
            num_beams: candidates while texts and boxes are searched; 1 is greedy.
            wording: "canonical", or "varied" for one of the task's many wordings (the same for the same query).
            explain: also give ``Answer.explanation``, what each expert was told and found; an RS-MoE has it at hand.

        Raises:
            UserError: for a picture that cannot be opened, an empty question, a task that the model was not made for,
                an explanation that it does not have, or numbers that do not fit together.
        """
        asked = [queries] if isinstance(queries, Query) else list(queries)
        pictures = [images] if _is_one(images) else list(images)
        if len(pictures) == 1:
            pictures = [opened(pictures[0])] * len(asked)
        elif len(asked) == 1:
            asked = asked * len(pictures)
        if len(pictures) != len(asked):
            raise UserError(
                f"{len(pictures)} pictures, {len(asked)} queries: give one of either, or as many of both"
            )
        answers: list[Answer] = []
        for part in _parts(len(asked), self.batch_size):  # a long list of files is opened piece by piece
            # One picture in several pairs, the usual case in an evaluation, is opened once.
            seen = {key: opened(one) for key, one in {id(one): one for one in pictures[part]}.items()}
            pairs = zip(pictures[part], asked[part], strict=True)
            jobs = [self._typed(seen[id(picture)], query, wording) for picture, query in pairs]
            answers += self._answer(jobs, constrained, num_beams, explain)
        return answers

    def stream(self, image: One, question: str | Query, *, num_beams: int = 1) -> Iterator[str]:
        """The answer to a question (or a query) in pieces, as soon as they are certain; together they are its text.

        With beams a piece is certain when all candidates left agree on it.
        """
        picture = opened(image)
        job = (
            self._typed(picture, question)
            if isinstance(question, Query)
            else self._own_words(picture, question)
        )
        if isinstance(job.shape, OneOf | Integer):
            yield self._answer([job], True, num_beams)[0].text
            return
        shown = ""
        for spoken in self._search([job], [self._rule(job.shape)], num_beams):
            text = self._text(spoken[0])
            # A character may be spread over tokens; until all are there the decoder shows a replacement mark.
            ready = text if spoken[0].ended else text.rstrip("\ufffd ")
            if ready.startswith(shown) and len(ready) > len(shown):
                yield ready[len(shown) :]
                shown = ready

    # --- from questions to answers -------------------------------------------------------------------------------

    def _each(self, image: Any, query: Query, num_beams: int = 1, explain: bool = False) -> Any:
        if _is_one(image):
            return self.answer(image, query, num_beams=num_beams, explain=explain)[0]
        return self.answer(image, query, num_beams=num_beams, explain=explain) if image else []

    def _typed(self, picture: Opened, query: Query, wording: str = "canonical") -> _Job:
        if wording not in ("canonical", "varied"):
            raise UserError(f"unknown wording {wording!r}: choose canonical or varied")
        task = get_task(query.task)
        if query.task not in self.decoder.tasks:
            known = ", ".join(sorted(self.decoder.tasks))
            raise UserError(
                f"model {self.name!r} was not made to {query.task}, it answers {known}: take nano for that"
            )
        rng = Random(f"wording/{query.task}/{query.subject}") if wording == "varied" else None
        messages = task.messages(query, rng)
        return _Job(picture, query, messages, self.prompter.prompt(messages), task.shape(query))

    def _own_words(self, picture: Opened, question: str) -> _Job:
        query = read_request(question)  # says how the answer is to be read; the words stay the user's
        content = [{"type": "image"}, {"type": "text", "text": " ".join(question.split())}]
        messages = [{"role": "user", "content": content}]
        return _Job(picture, query, messages, self.prompter.prompt(messages), FreeText(LONGEST_REPLY), True)

    def _answer(
        self, jobs: list[_Job], constrained: bool, num_beams: int, explain: bool = False
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
        self, jobs: Sequence[_Job], labels: tuple[str, ...], prior: Tensor | None = None
    ) -> list[Answer]:
        """The most probable label of a closed list; ``prior`` (labels,) is added to their log-probabilities."""
        answers = []
        for job, scores in zip(jobs, self._scores(jobs, labels), strict=True):
            scores = scores if prior is None else scores + prior.to(scores.device)
            chance, best = scores.softmax(dim=-1).max(dim=-1)
            answers.append(self._parsed(job, labels[int(best)], chance.item()))
        return answers

    def _number(self, jobs: Sequence[_Job], shape: Integer) -> list[Answer]:
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
        self, jobs: Sequence[_Job], constrained: bool, num_beams: int, length_penalty: float = LENGTH_PENALTY
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
    def _scores(self, jobs: Sequence[_Job], labels: tuple[str, ...]) -> Tensor:
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
        jobs: Sequence[_Job],
        rules: Sequence[Rule],
        num_beams: int,
        length_penalty: float = LENGTH_PENALTY,
    ) -> Iterator[list[Spoken]]:
        if num_beams < 1:
            raise UserError(f"num_beams={num_beams}: give 1 (greedy) or more")
        limits = [_limit(job.shape) for job in jobs]
        rows, logits = self._start(jobs, max(limits))
        if num_beams == 1:
            return greedy(rows, logits, rules, limits, self.stop)
        return beam_search(rows, logits, rules, limits, self.stop, num_beams, length_penalty)

    @torch.inference_mode()
    def _start(self, jobs: Sequence[_Job], room: int) -> tuple[Rows, Tensor]:
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

    def _parsed(self, job: _Job, text: str, confidence: float) -> Answer:
        width, height = job.picture.size
        answer = get_task(job.query.task).parse(text, width=width, height=height, labels=job.query.labels)
        if not answer.parsed and job.own_words:  # what the question asked for was only a guess
            answer = get_task("vqa").parse(text, width=width, height=height)
        return answer.replace(confidence=confidence)


def _is_one(image: Any) -> bool:
    return not isinstance(image, list | tuple)


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


def _limit(shape: AnswerShape) -> int:
    """The most tokens an answer of this shape can have. A label said freely may be anything."""
    if isinstance(shape, FreeText):
        return shape.max_tokens
    return LONGEST_REPLY if isinstance(shape, OneOf) else longest_answer(shape)
