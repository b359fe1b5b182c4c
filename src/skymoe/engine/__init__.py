"""The engine: `load()` gives an object that answers questions about pictures.

A picture passes through the vision tower and the decoder once; what the decoder remembers of it (its *prefix*) is
kept, and any number of questions continue from there, as one batch. Answers whose form is known (a label of a list,
an integer, a box) are decoded under that form, so that they always parse. What all this needs of a model is small
(`Decoder`), and two kinds of models give it: one decoder, and several experts that speak as one.

    opened.py       pictures, opened once           checkpoint.py   a name or directory → model and processor
    prompting.py    messages → tokens               prefixes.py     pictures → remembered prefixes
    decoder.py      what is needed of a model       single.py       SkyMoE, LLaVA
    several.py      RS-MoE
    rows.py         sequences under decoding        search.py       greedy and beam search
    grammar.py      what may come next              labels.py       exact probabilities of closed lists
    answering.py    `SkyMoe`, the face of it all    routing.py      which experts fired
    probing.py      a stranger's checkpoint tried

Importing the package loads no PyTorch; using `load` or `SkyMoe` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skymoe.engine.answering import SkyMoe
    from skymoe.engine.checkpoint import load

__all__ = ["SkyMoe", "load"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from skymoe.engine.checkpoint import load

        return load
    if name == "SkyMoe":
        from skymoe.engine.answering import SkyMoe

        return SkyMoe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
