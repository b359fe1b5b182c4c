"""How fast are the caption metrics, beside pycocoevalcap's own pipeline? Prints JSON.

    python benchmarks/caption_metrics.py [--images 5000] [--rounds 3] [--odd 0.01] [--meteor]

Both get the same raw captions, in turns, in one process; seconds are the best of the rounds, the ratio is that of the
bests. Before the clock counts, the values are compared: a difference above 1e-6 is an error. Ours includes the 95 %
intervals (a thousand resampled corpora), which pycocoevalcap does not give. "odd" captions hold brackets and decimals:
with one of them, ours asks Stanford's tokeniser, too. METEOR is apart, for it is the same jar on both sides: the first
evaluation starts its process, the second finds it warm; pycocoevalcap starts one each time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skymoe.evaluation.metrics import caption, ptb

REFERENCES = 5
Corpus = tuple[list[str], list[list[str]]]
WORDS = (
    "a the some many two several white green yellow large small dense buildings trees planes roads cars houses river "
    "bridge field pond parking lot are is in on near next to with of around and beside surrounded by ."
)


def captions(images: int, odd: float, seed: int = 0) -> tuple[Corpus, str]:
    """Captions of RSICD where it is there, else of random words; predictions are worn references of some image."""
    rng = random.Random(seed)
    root = Path(os.environ.get("SKYMOE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    path = root / "RSICD" / "dataset_rsicd.json"
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))["images"]
        full = [[s["raw"] for s in image["sentences"]][:REFERENCES] for image in stored]
        references, source = (
            rng.choices([lines for lines in full if len(lines) == REFERENCES], k=images),
            "RSICD",
        )
    else:
        words = WORDS.split()
        line = lambda: " ".join(rng.choices(words, k=rng.randint(6, 16)))  # noqa: E731
        references, source = [[line() for _ in range(REFERENCES)] for _ in range(images)], "random words"
    predictions = []
    for lines in references:
        words = rng.choice(lines if rng.random() < 0.6 else rng.choice(references)).split()
        kept = [word for word in words if rng.random() > 0.1]
        predictions.append(" ".join([*kept, "(3.5 m)"] if rng.random() < odd else kept) or "a")
    return (predictions, references), source


def by_coco(corpus: Corpus, java: bool) -> dict[str, float]:
    """pycocoevalcap as its `COCOEvalCap` runs it, without METEOR and SPICE; our tokens where there is no Java."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    wanted, given = coco_tokens(corpus, java)
    found = {
        f"bleu{n}": value for n, value in enumerate(Bleu(4).compute_score(wanted, given, verbose=0)[0], 1)
    }
    found["rouge_l"] = float(Rouge().compute_score(wanted, given)[0])
    found["cider"] = float(Cider().compute_score(wanted, given)[0])
    return found


def coco_tokens(corpus: Corpus, java: bool) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """References and predictions, tokenised."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    predictions, references = corpus
    if not java:
        tokens = lambda lines: ptb.tokenise(lines, runtime=None).captions  # noqa: E731
        return {i: tokens(lines) for i, lines in enumerate(references)}, {
            i: tokens([line]) for i, line in enumerate(predictions)
        }
    tokenizer = PTBTokenizer()
    wanted = tokenizer.tokenize(
        {i: [{"caption": line} for line in lines] for i, lines in enumerate(references)}
    )
    given = tokenizer.tokenize({i: [{"caption": line}] for i, line in enumerate(predictions)})
    return wanted, given


def ours(corpus: Corpus) -> dict[str, float]:
    """Our values of the same metrics."""
    metrics = caption.evaluate(*corpus, with_meteor=False).metrics
    return {name: estimate["value"] for name, estimate in metrics.items()}


def seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """How long it took, and what it gave."""
    start = time.perf_counter()
    found = action()
    return time.perf_counter() - start, found


def compare(corpus: Corpus, rounds: int, java: bool) -> dict[str, Any]:
    """Both in turns; raises SystemExit where they differ."""
    theirs, own, values = [], [], {}
    largest = 0.0
    for turn in range(rounds):
        took, reference = seconds(lambda: by_coco(corpus, java))
        theirs.append(took)
        took, values = seconds(lambda: ours(corpus))
        own.append(took)
        largest = max(abs(values[name] - reference[name]) for name in reference)
        print(f"round {turn + 1}: {theirs[-1]:.2f} s against {own[-1]:.2f} s", file=sys.stderr)
        if largest > 1e-6:
            raise SystemExit(f"the values differ by {largest}: {values} against {reference}")
    return {
        "pycocoevalcap_seconds": min(theirs),
        "skymoe_seconds": min(own),
        "times_faster": min(theirs) / min(own),
        "largest_difference": largest,
        "values": values,
    }


def meteor_too(corpus: Corpus, java: bool) -> dict[str, Any]:
    """Everything with METEOR: ours cold, ours warm, and pycocoevalcap's METEOR alone with its start."""
    from pycocoevalcap.meteor.meteor import Meteor

    cold, _ = seconds(lambda: caption.evaluate(*corpus))
    warm, found = seconds(lambda: caption.evaluate(*corpus))
    wanted, given = coco_tokens(corpus, java)
    theirs, reference = seconds(lambda: Meteor().compute_score(wanted, given)[0])
    difference = abs(found.metrics["meteor"]["value"] - reference)
    if difference > 1e-6:
        raise SystemExit(f"METEOR differs by {difference}")
    return {
        "skymoe_all_first_seconds": cold,
        "skymoe_all_second_seconds": warm,
        "pycocoevalcap_meteor_alone_seconds": theirs,
        "difference": difference,
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--odd", type=float, default=0.01, help="share of odd captions in the second comparison"
    )
    parser.add_argument("--meteor", action="store_true", help="METEOR, too: about a minute and 2.6 GB")
    options = parser.parse_args(arguments)
    java = ptb.java() is not None
    plain, source = captions(options.images, 0.0)
    found: dict[str, Any] = {
        "question": "caption metrics without METEOR, from raw captions to values",
        "captions": {"images": options.images, "references": REFERENCES, "source": source},
        "java": "pycocoevalcap tokenises by its jar"
        if java
        else "no Java: both use our tokens, made again each round",
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), **caption.implementation()},
        "plain": compare(plain, options.rounds, java),
    }
    if java and options.odd > 0:
        found["odd"] = compare(captions(options.images, options.odd)[0], options.rounds, java)
        found["odd"]["share"] = options.odd
    if java and options.meteor:
        found["meteor"] = meteor_too(plain, java)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
