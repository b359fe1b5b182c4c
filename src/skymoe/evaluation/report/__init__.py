"""The report of an evaluation: JSON with everything, Markdown and a terminal table, and one self-contained page.

tabular.py   the table's lines and its notes       beside.py      the paper's numbers beside ours
plain.py     Markdown, terminal                    examples.py    the worst answers, with pictures and boxes
webpage.py   the page (templates/)                 charts.py      what its drawings are made of
writing.py   the files                             comparison.py  two runs side by side
"""

from skymoe.evaluation.report.comparison import comparison_markdown, comparison_page, write_comparison
from skymoe.evaluation.report.examples import complete
from skymoe.evaluation.report.plain import document, markdown, table
from skymoe.evaluation.report.tabular import COLUMNS, Row, notes, rows
from skymoe.evaluation.report.webpage import page
from skymoe.evaluation.report.writing import write

__all__ = [
    "COLUMNS",
    "Row",
    "comparison_markdown",
    "comparison_page",
    "complete",
    "document",
    "markdown",
    "notes",
    "page",
    "rows",
    "table",
    "write",
    "write_comparison",
]
