"""Writes the golden values again: `python tests/golden/make.py` where pycocoevalcap, Java, NLTK with its WordNet and
rouge-score are installed. Nothing of skymoe is used."""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
WEIGHTS = [tuple(1 / order for _ in range(order)) for order in range(1, 5)]


def by_coco(predictions: list[str], references: list[list[str]]) -> dict[str, Any]:
    """The values of pycocoevalcap, tokenised and scored as its own `COCOEvalCap` does it."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokens = PTBTokenizer()
    wanted = tokens.tokenize({i: [{"caption": line} for line in lines] for i, lines in enumerate(references)})
    given = tokens.tokenize({i: [{"caption": line}] for i, line in enumerate(predictions)})
    whole, each = Bleu(4).compute_score(wanted, given, verbose=0)
    found = {f"bleu{n + 1}": (whole[n], each[n]) for n in range(4)}
    for name, scorer in (("meteor", Meteor()), ("rouge_l", Rouge()), ("cider", Cider())):
        found[name] = scorer.compute_score(wanted, given)
    return {
        "by": f"pycocoevalcap {version('pycocoevalcap')}",
        "tokens": [
            *(lines[0] for lines in given.values()),
            *(line for lines in wanted.values() for line in lines),
        ],
        "corpus": {name: float(value) for name, (value, _) in found.items()},
        "per_image": {name: [float(value) for value in own] for name, (_, own) in found.items()},
    }


def by_nltk(predictions: list[str], references: list[list[str]]) -> dict[str, Any]:
    """Sentence BLEU of raw strings, METEOR of words as spaces separate them, and rouge-score's ROUGE-L."""
    from nltk.translate.bleu_score import sentence_bleu
    from nltk.translate.meteor_score import meteor_score
    from rouge_score.rouge_scorer import RougeScorer

    warnings.simplefilter("ignore")
    rouge = RougeScorer(["rougeL"], use_stemmer=True)
    pairs = list(zip(predictions, references, strict=True))
    found: dict[str, list[float]] = {
        f"bleu{len(weights)}": [float(sentence_bleu(lines, text, weights)) for text, lines in pairs]
        for weights in WEIGHTS
    }
    found["meteor"] = [meteor_score([line.split() for line in lines], text.split()) for text, lines in pairs]
    found["rouge_l"] = [rouge.score(lines[0], text)["rougeL"].fmeasure for text, lines in pairs]
    return {"by": f"nltk {version('nltk')}, rouge-score {version('rouge-score')}", "per_image": found}


def main() -> None:
    """The values into `captions.json`, beside the captions that stand there; "coco" or "paper" makes these alone."""
    path = FOLDER / "captions.json"
    makers = {"coco": by_coco, "paper": by_nltk}
    for name in sys.argv[1:] or makers:
        stored = json.loads(path.read_text(encoding="utf-8"))
        predictions, references = map(list, zip(*stored["captions"], strict=True))
        found = makers[name](predictions, references)
        stored = json.loads(path.read_text(encoding="utf-8")) | {name: found}
        path.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
