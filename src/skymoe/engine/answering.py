"""`SkyMoe`: a loaded model that answers. Pictures and questions in, `Answer`s out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, overload

from skymoe.answer import Answer
from skymoe.engine.jobs import LONGEST_REPLY, Job
from skymoe.engine.opened import Opened, Source, opened
from skymoe.engine.own_labels import classify_query
from skymoe.engine.speaking import Speaking
from skymoe.errors import UserError
from skymoe.tasks import FreeText, Integer, OneOf, Query, get_task, read_request

# A picture may also come ready opened, so that a caller can tell first which files are no pictures.
One = Source | Opened
Many = list[Any] | tuple[Any, ...]
CAPTION_BEAMS = 5


class SkyMoe(Speaking):
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

    def _typed(self, picture: Opened, query: Query, wording: str = "canonical") -> Job:
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
        return Job(picture, query, messages, self.prompter.prompt(messages), task.shape(query))

    def _own_words(self, picture: Opened, question: str) -> Job:
        query = read_request(question)  # says how the answer is to be read; the words stay the user's
        content = [{"type": "image"}, {"type": "text", "text": " ".join(question.split())}]
        messages = [{"role": "user", "content": content}]
        return Job(picture, query, messages, self.prompter.prompt(messages), FreeText(LONGEST_REPLY), True)


def _is_one(image: Any) -> bool:
    return not isinstance(image, list | tuple)


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]
