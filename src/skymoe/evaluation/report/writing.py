"""The report's files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from skymoe.evaluation.report.plain import document
from skymoe.evaluation.report.webpage import page


def write(report: dict[str, Any], out: Path) -> None:
    """``report.json``, ``report.md`` and ``report.html`` in ``out``, each replaced as a whole.

    The page also shows what :func:`skymoe.evaluation.report.complete` left in the benchmarks' folders in ``out``.
    """
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n",
        "report.md": document(report),
        "report.html": page(report, out),
    }
    for name, text in texts.items():
        part = out / f"{name}.part"
        # Half a surrogate pair, out of an odd file name, has no UTF-8; its escape is right in JSON, harmless elsewhere.
        part.write_bytes(text.encode("utf-8", "backslashreplace"))
        os.replace(part, out / name)
