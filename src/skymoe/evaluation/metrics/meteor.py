"""METEOR 1.5 (`-l en -norm`) from its jar: one warm Java process for a whole run, ~13 s to start, ~1.3 GB.

The jar gives 23 statistics a caption; the corpus value comes from their sums. Its formula is repeated here only so that
a bootstrap of a thousand corpora needs no thousand more questions to the jar; a test holds the two equal.
"""

from __future__ import annotations

import atexit
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from skymoe.evaluation.intervals import Array
from skymoe.evaluation.metrics.ptb import java

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
MODULE_WEIGHTS = (1.0, 0.6, 0.8, 0.6)  # exact, stem, synonym, paraphrase
STATISTICS = 23


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
    """A running METEOR process; not for several threads at once."""

    def __init__(self) -> None:
        runtime, archive = java(), jar()
        assert runtime is not None, why_not()
        assert archive is not None, why_not()
        command = [
            runtime,
            "-Xmx2G",
            "-Dfile.encoding=UTF-8",
            "-Dstdout.encoding=UTF-8",
            "-jar",
            archive.name,
        ]
        self._process = subprocess.Popen(
            [*command, "-", "-", "-stdio", "-l", "en", "-norm"],
            cwd=archive.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        atexit.register(self.close)

    def close(self) -> None:
        """End the process; a second call does nothing."""
        self._process.kill()
        self._process.wait()

    def statistics(self, prediction: str, references: Sequence[str]) -> str:
        """The 23 numbers of one tokenised caption against its references, as the jar writes them."""
        words = [" ".join(text.replace("|||", " ").split()) for text in (*references, prediction)]
        return self._ask(" ||| ".join(["SCORE", *words]))

    def corpus(self, statistics: Sequence[str]) -> tuple[float, list[float]]:
        """The corpus score, and every caption's own."""
        first = self._ask(" ||| ".join(["EVAL", *statistics]))
        answers = [first, *(self._read() for _ in statistics)]
        *each, whole = map(float, answers)
        return whole, each

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the METEOR process ended unexpectedly (it needs about 1.3 GB of memory)")
        return answer.strip()


@cache
def shared_process() -> Meteor:
    """The process that the whole run shares."""
    return Meteor()


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
