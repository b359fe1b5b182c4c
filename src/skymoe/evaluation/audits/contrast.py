"""The same questions with several kinds of pictures, side by side: numbers, paired gaps, examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from PIL import Image

from skymoe.evaluation.audits.bench import Bench, Records
from skymoe.evaluation.audits.examples import Strip, thumbnail
from skymoe.evaluation.audits.measures import JUDGED, Measure, difference, measure
from skymoe.evaluation.benchmarks import Item
from skymoe.evaluation.report.wording import is_share, title
from skymoe.evaluation.scoring import LOWER_IS_BETTER, Score
from skymoe.pictures import open_sample

EXAMPLES = 3
TOLD = {
    "caption": ("bleu4", "cider"),
    "vqa": ("oa",),
    "ground": ("acc@0.5", "miou"),
    "count": ("accuracy", "mae"),
    "classify": ("accuracy",),
}
"""The metrics of the table, the first of them that of the chart; the JSON and the page have all."""
Lines = Mapping[str, Records]
"""Prediction lines by the name of what the model saw, the real picture first; the same items in the same order."""
Show = Callable[[str, Item, Image.Image], Image.Image]
"""The picture that was seen under a name, from the item and its real picture."""


def contrast(bench: Bench, lines: Lines, gap: str, show: Show) -> dict[str, Any]:
    """Scores of every kind of picture and their measures; ``gap`` words a difference: "lost on {}"."""
    scores = {name: bench.score(records) for name, records in lines.items()}
    first, *others = lines
    found: list[Measure] = []
    for metric in TOLD[bench.task]:
        kind = "share" if is_share(metric) else "number"
        ideal = "low" if metric in LOWER_IS_BETTER else "high"
        found += [
            measure(f"{title(metric)}: {name}", score.metrics[metric], kind, ideal if name == first else "")
            for name, score in scores.items()
        ]
    unread = {name: score.unparsable for name, score in scores.items()}
    if any(unread.values()):
        found += [measure(f"cannot be read: {name}", share, ideal="0") for name, share in unread.items()]
    gaps: list[Measure] = []
    if bench.task in JUDGED:
        right = {name: [item["correct"] for item in score.items] for name, score in scores.items()}
        gaps = [
            measure(gap.format(name), difference(right[first], right[name], bench.settings.seed))
            for name in others
        ]
    return {
        "metrics": {name: score.metrics for name, score in scores.items()},
        "unparsable": unread,
        "measures": found,
        "gaps": gaps,
        "examples": _strips(bench, scores, show),
    }


def _strips(bench: Bench, scores: Mapping[str, Score], show: Show) -> list[Strip]:
    """Some questions, chosen by chance, with every kind of picture and what was said about it."""
    few = min(EXAMPLES, len(bench.items))
    places = Random(f"examples/{bench.benchmark.name}").sample(range(len(bench.items)), few)
    strips: list[Strip] = []
    for place in sorted(places):
        item = bench.items[place]
        picture = open_sample(item.sample)
        said = {name: score.items[place] for name, score in scores.items()}
        strips.append(
            {
                "title": f"{item.id}: {item.prompt}",
                "shots": [
                    {
                        "picture": thumbnail(show(name, item, picture)),
                        "title": name,
                        "text": answer["text"],
                        "right": answer["correct"],
                    }
                    for name, answer in said.items()
                ],
            }
        )
    return strips
