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
from skymoe.evaluation.scoring import HEADLINES, LOWER_IS_BETTER, PERCENT, Score
from skymoe.pictures import open_sample

EXAMPLES = 3
Lines = Mapping[str, Records]
"""Prediction lines by the name of what the model saw, the real picture first; the same items in the same order."""
Show = Callable[[str, Item, Image.Image], Image.Image]
"""The picture that was seen under a name, from the item and its real picture."""


def contrast(bench: Bench, lines: Lines, gap: str, show: Show) -> dict[str, Any]:
    """Scores of every kind of picture and their measures; ``gap`` words a difference: "lost on {}"."""
    scores = {name: bench.score(records) for name, records in lines.items()}
    first, *others = lines
    found: list[Measure] = []
    for metric in HEADLINES[bench.task]:
        if metric in scores[first].metrics:
            kind = "share" if metric in PERCENT else "number"
            ideal = "low" if metric in LOWER_IS_BETTER else "high"
            found += [
                measure(f"{metric}, {name}", score.metrics[metric], kind, ideal if name == first else "")
                for name, score in scores.items()
            ]
    if bench.task in JUDGED:
        right = {name: [item["correct"] for item in score.items] for name, score in scores.items()}
        found += [
            measure(gap.format(name), difference(right[first], right[name], bench.settings.seed))
            for name in others
        ]
    return {
        "metrics": {name: score.metrics for name, score in scores.items()},
        "unparsable": {name: score.unparsable for name, score in scores.items()},
        "measures": found,
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
