"""What the asking commands share: open the pictures, answer, and show answers and mistakes side by side."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from skymoe.answer import Answer
from skymoe.cli.options import load_quietly
from skymoe.errors import UserError
from skymoe.tasks import Query, get_task

if TYPE_CHECKING:
    from skymoe.engine import SkyMoe
    from skymoe.engine.opened import Opened

TOGETHER = 32
"""Pictures answered at a time."""
PIXELS_TOGETHER = 100_000_000
"""Pixels held in memory at a time, unless a single picture has more."""


@dataclass(frozen=True)
class Result:
    """What came of one picture: an answer, or the reason why there is none."""

    image: str
    answer: Answer | None = None
    error: str | None = None


@dataclass(frozen=True)
class Asking:
    """One run of an asking command.

    ``query`` says what is asked, or with ``own_words`` the user's question. ``draw`` is called with each answered
    picture and raises UserError where the drawing cannot be written.
    """

    task: str
    images: Sequence[str]
    query: Query | None = None
    own_words: str | None = None
    model: str = "nano"
    device: str = "auto"
    as_json: bool = False
    free: bool = False
    num_beams: int = 1
    draw: Callable[[str, Opened, Answer], None] | None = None
    explain: bool = False

    def run(self) -> None:
        """Answer and print.

        Raises:
            UserError: where nothing can be answered at all.
            typer.Exit: code 2 where some pictures could not be answered; each is named in a line of its own.
        """
        if self.query is not None:
            get_task(self.query.task).messages(
                self.query
            )  # a mistake in the question is said before models are loaded
        results = self._streamed() if self._streams else list(self._results())
        if self.as_json:
            records = [_record(self.task, result) for result in results]
            typer.echo(json.dumps(records, ensure_ascii=False, indent=2))
        elif not self._streams:
            _show(results)
        if any(result.error for result in results):
            raise typer.Exit(2)

    @property
    def _streams(self) -> bool:
        free_text = self.own_words is not None or self.task == "caption"
        plain = not self.as_json and not self.explain
        return free_text and len(self.images) == 1 and plain and sys.stdout.isatty()

    def _results(self) -> Iterator[Result]:
        from skymoe.engine.opened import opened

        engine: SkyMoe | None = None
        for part in self._parts(opened):
            pictures = [picture for _, picture in part if not isinstance(picture, Result)]
            answers: Iterator[Answer] = iter(())
            if pictures:
                engine = engine or load_quietly(self.model, self.device)
                answers = iter(self._answers(engine, pictures))
            for image, picture in part:
                yield picture if isinstance(picture, Result) else self._drawn(image, picture, next(answers))

    def _parts(self, opened: Callable[[str], Opened]) -> Iterator[list[tuple[str, Opened | Result]]]:
        """Opened pictures, or what is wrong with them, as many at a time as there is use and room for."""
        part: list[tuple[str, Opened | Result]] = []
        pixels = 0
        for image in self.images:
            try:
                picture = opened(image)
            except UserError as error:
                part.append((image, _failed(image, error)))
                continue
            part.append((image, picture))
            pixels += picture.picture.width * picture.picture.height
            if len(part) >= TOGETHER or pixels >= PIXELS_TOGETHER:
                yield part
                part, pixels = [], 0
        if part:
            yield part

    def _answers(self, engine: SkyMoe, pictures: list[Opened]) -> list[Answer]:
        if self.own_words is not None:
            return engine.ask(pictures, self.own_words, num_beams=self.num_beams, explain=self.explain)
        assert self.query is not None
        return engine.answer(
            pictures,
            self.query,
            constrained=not self.free,
            num_beams=self.num_beams,
            explain=self.explain,
        )

    def _drawn(self, image: str, picture: Opened, answer: Answer) -> Result:
        if self.draw is not None:
            try:
                self.draw(image, picture, answer)
            except UserError as error:
                return Result(image, answer, _failed(image, error).error)
        return Result(image, answer)

    def _streamed(self) -> list[Result]:
        """One picture, a person watching: the words are shown as they come."""
        from skymoe.engine.opened import opened

        (image,) = self.images
        try:
            picture = opened(image)
        except UserError as error:
            return [_failed(image, error)]
        engine = load_quietly(self.model, self.device)
        question = self.own_words if self.own_words is not None else self.query
        assert question is not None
        for piece in engine.stream(picture, question, num_beams=self.num_beams):
            typer.echo("".join(map(_shown, piece)), nl=False)
            sys.stdout.flush()
        typer.echo()
        return [Result(image)]


def subject(images: Sequence[str], text: str, what: str, example: str) -> str:
    """The last argument, unless it is a picture and the subject was forgotten."""
    if not text.strip():
        raise UserError(f"no {what} given: end with one, for instance {example!r}")
    if len(text) < 255 and Path(text).is_file():
        raise UserError(f"{text!r} is a file, not a {what}: end with one, for instance {example!r}")
    return text


def _failed(image: str, error: UserError) -> Result:
    line = printable(str(error))
    typer.echo(f"skymoe: {line}", err=True)
    return Result(image, error=line)


def _record(task: str, result: Result) -> dict[str, object]:
    told = {} if result.answer is None else result.answer.to_dict()
    image = result.image.encode("utf-8", "replace").decode()  # a name need not be text
    return {"image": image, "task": task, **told, "error": result.error}


def printable(text: str) -> str:
    """One line without control characters, which a file's name may hold and a terminal would obey."""
    return "".join(map(_shown, " ".join(text.split())))


def _shown(letter: str) -> str:
    return letter if letter.isprintable() else " " if letter.isspace() else "\ufffd"


def said(answer: Answer) -> str:
    """An answer in one line, as a person or a shell script would want it."""
    if answer.boxes:
        return "; ".join(" ".join(f"{edge:.0f}" for edge in box.xyxy) for box in answer.boxes)
    if answer.number is not None and answer.task == "count":
        return str(answer.number)
    if answer.task == "classify" and answer.label:
        return answer.label
    return printable(answer.text)


def _show(results: Iterable[Result]) -> None:
    answered = [(result.image, result.answer) for result in results if result.answer is not None]
    if not answered:
        return
    explained = any(answer.explanation for _, answer in answered)
    if explained or not sys.stdout.isatty():
        one = len(answered) == 1
        for image, answer in answered:
            typer.echo(said(answer) if one else f"{printable(image)}\t{said(answer)}")
            for report in answer.explanation:
                told = f"  {report.name} {report.weight:.0%}: {report.prompt} → {report.finding or '–'}"
                typer.echo(f"  {printable(told)}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in ("picture", "answer"):
        table.add_column(column, overflow="fold", header_style="dim")
    table.add_column("confidence", justify="right", style="dim", header_style="dim")
    for image, answer in answered:
        chance = "" if answer.confidence is None else f"{answer.confidence:.0%}"
        table.add_row(Text(printable(image)), Text(said(answer), style="bold"), chance)
    Console().print(table)
