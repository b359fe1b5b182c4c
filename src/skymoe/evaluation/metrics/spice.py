"""SPICE, where its parts are there: pycocoevalcap's jar, Stanford's models (a further download), and an old Java.

It is no metric of the standard protocol; the jar's libraries of 2015 reach into Java's insides, which Java closed in
release 9 and locked in 16.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from skymoe.evaluation.metrics.ptb import java

MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
NEWEST_JAVA = 15


def why_not() -> str | None:
    """Why SPICE cannot be computed here, and what would help; None where it can."""
    runtime, folder = java(), _folder()
    if folder is None:
        return "SPICE needs pycocoevalcap: pip install 'skymoe[eval]'"
    if runtime is None:
        return "SPICE needs a Java runtime of release 8: no java on the PATH"
    release = java_release(runtime)
    if release is None or release > NEWEST_JAVA:
        return f"SPICE fails on Java {release or '(unknown release)'}: put Java 8 first on the PATH"
    missing = [name for name in MODELS if not (folder / "lib" / name).is_file()]
    if missing:
        fetch = "python -m pycocoevalcap.spice.get_stanford_models"
        return f"SPICE needs {missing[0]} in {folder / 'lib'} (0.4 GB): {fetch}"
    return None


def scores(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """The F-score of every tokenised caption, by pycocoevalcap's own class."""
    assert why_not() is None, why_not()
    from pycocoevalcap.spice.spice import Spice

    wanted = {image: list(lines) for image, lines in enumerate(references)}
    found = Spice().compute_score(wanted, {image: [line] for image, line in enumerate(predictions)})[1]
    return [float(item["All"]["f"]) for item in found]


@cache
def java_release(runtime: str) -> int | None:
    """8 for "1.8.0_292", 17 for "17.0.15"; None where the runtime does not say or does not run."""
    try:
        said = subprocess.run([runtime, "-version"], capture_output=True, text=True, timeout=60).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None


@cache
def _folder() -> Path | None:
    try:
        from pycocoevalcap.spice import spice
    except ImportError:
        return None
    return Path(spice.__file__).parent
