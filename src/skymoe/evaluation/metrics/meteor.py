"""METEOR 1.5 (`-l en -norm`) from its jar: one warm Java process for a whole run, ~13 s to start, ~1.3 GB.

The jar gives 23 statistics a caption; the corpus value comes from their sums. Its formula is repeated here so that a
bootstrap of a thousand corpora needs no thousand more questions to the jar; a test holds the two equal.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import RLock, Thread

import numpy as np

from skymoe.evaluation.intervals import Array
from skymoe.evaluation.metrics.ptb import java, one_line

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
MODULE_WEIGHTS = (1.0, 0.6, 0.8, 0.6)  # exact, stem, synonym, paraphrase
STATISTICS = 23


class MeteorError(RuntimeError):
    """METEOR's process could not do its work; the message is one line."""


def why_not() -> str | None:
    """Why METEOR cannot be computed here, or None where it can."""
    if java() is None:
        return "METEOR needs a Java runtime: no java on the PATH"
    return None if jar() else "METEOR needs pycocoevalcap: pip install 'skymoe[eval]'"


@cache
def jar() -> Path | None:
    """The METEOR jar inside an installed pycocoevalcap, or None."""
    try:
        from pycocoevalcap.meteor import meteor
    except ImportError:
        return None
    path = Path(meteor.__file__).parent / meteor.METEOR_JAR
    return path if path.is_file() else None


class Meteor:
    """A running METEOR process. Starting returns at once; the first answer waits until its tables are read."""

    def __init__(self) -> None:
        runtime, archive = java(), jar()
        assert runtime is not None, why_not()
        assert archive is not None, why_not()
        self._lock = RLock()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the process)
        encoding = ["-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8"]
        self._process = subprocess.Popen(
            [runtime, "-Xmx2G", *encoding, "-jar", archive.name, "-", "-", "-stdio", "-l", "en", "-norm"],
            cwd=archive.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        atexit.register(self.close)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process; a second call does nothing."""
        atexit.unregister(self.close)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            with suppress(OSError):  # what was not yet written is not wanted any more
                assert pipe is not None
                pipe.close()

    def statistics(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> list[str]:
        """The 23 numbers of every tokenised caption against its references, as the jar writes them.

        Raises MeteorError where the process ends.
        """
        lines = []
        for prediction, own in zip(predictions, references, strict=True):
            lines.append(" ||| ".join(["SCORE", *map(_plain, own), _plain(prediction)]))
        with self._lock:
            return self._ask(lines, len(lines))

    def corpus(self, statistics: Sequence[str]) -> tuple[float, list[float]]:
        """The corpus score, and every caption's own, by the jar's arithmetic; MeteorError where the process ends."""
        with self._lock:
            *each, whole = self._ask([" ||| ".join(["EVAL", *statistics])], len(statistics) + 1)
        return float(whole), list(map(float, each))

    def _ask(self, lines: Iterable[str], answers: int) -> list[str]:
        # Written beside reading: neither side waits for the other to answer one caption before it gets the next.
        writer = Thread(target=self._write, args=(lines,), daemon=True)
        writer.start()
        assert self._process.stdout is not None
        found = []
        for _ in range(answers):
            if not (answer := self._process.stdout.readline()):
                raise MeteorError(self._reason())
            found.append(answer.decode("utf-8").strip())
        writer.join()
        return found

    def _write(self, lines: Iterable[str]) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # the reader finds the process ended and says why
            for line in lines:
                self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def _reason(self) -> str:
        self._process.wait()
        self._said.seek(0)
        said = self._said.read().decode("utf-8", "replace").strip().splitlines()
        last = f": {said[-1].strip()}" if said else ""
        return f"METEOR's Java process ended (it needs about 1.3 GB of memory){last}"


_shared: tuple[int, Meteor] | None = None
_sharing = RLock()


def start() -> Meteor:
    """The process that the whole run shares; started if there is none, or if it ended. Raises MeteorError."""
    global _shared
    with _sharing:
        # After a fork the parent's process is not this one's to talk to.
        if _shared is None or _shared[0] != os.getpid() or not _shared[1].alive:
            try:
                _shared = os.getpid(), Meteor()
            except OSError as error:
                raise MeteorError(f"METEOR's Java process did not start: {error}") from error
        return _shared[1]


def statistics(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Array:
    """(n, 23) statistics of tokenised captions that may be summed, from the shared process. Raises MeteorError."""
    return rows(start().statistics(predictions, references))


def rows(statistics: Sequence[str]) -> Array:
    """(n, 23) statistics that may be summed. A caption matched as one piece from end to end counts no chunk at all."""
    found = np.array([line.split() for line in statistics], dtype=np.float64).reshape(-1, STATISTICS)
    chunks, words, reference_words = found[:, 20:].T
    whole = (words == found[:, 0]) & (reference_words == found[:, 1]) & (chunks == 1)
    found[whole, 20] = 0
    return found


def from_sums(sums: Array) -> Array:
    """METEOR from sums of :func:`rows`, (R, 23) → (R,)."""
    length, reference_length, function, reference_function = sums[:, :4].T
    # Per module: content words matched (prediction, reference), function words matched (prediction, reference).
    matched = sums[:, 4:20].reshape(-1, 4, 4)
    weights = np.array(MODULE_WEIGHTS)
    content, reference_content, small, reference_small = (
        matched[:, :, column] @ weights for column in range(4)
    )
    chunks, words, reference_words = sums[:, 20:].T
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = (DELTA * content + (1 - DELTA) * small) / (
            DELTA * (length - function) + (1 - DELTA) * function
        )
        recall = (DELTA * reference_content + (1 - DELTA) * reference_small) / (
            DELTA * (reference_length - reference_function) + (1 - DELTA) * reference_function
        )
        mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
        fragments = chunks / ((words + reference_words) / 2)
        found = mean * (1 - GAMMA * fragments**BETA)
    return np.nan_to_num(found)


def _plain(caption: str) -> str:
    """Without what separates captions and lines in the process's language."""
    return " ".join(word for word in one_line(caption).replace("|||", " ").split(" ") if word)
