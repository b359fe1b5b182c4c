"""Many questions on one picture: it is encoded once, and all questions are answered as one batch.

python examples/many_questions.py PICTURE [MODEL]
"""

from __future__ import annotations

import sys
import time

import skymoe
from skymoe.tasks import Query


def main(picture: str, model: str = "nano") -> None:
    engine = skymoe.load(model)
    queries = [
        Query("caption"),
        Query("classify"),
        Query("count", "storage tank"),
        Query("ground", "the largest storage tank"),
        Query("vqa", "Is there an airplane in the image?"),
        Query("vqa", "What is the theme of this picture?"),
    ]
    start = time.perf_counter()
    answers = engine.answer(picture, queries)
    for query, answer in zip(queries, answers, strict=True):
        print(f"{query.task:9} {query.subject or '':36} {answer.text:40} {answer.confidence:.0%}")
    print(f"{len(queries)} answers in {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
