"""Whatever can be judged: our own models, any Transformers image-text-to-text model, any OpenAI-compatible endpoint.

All are asked the same questions in the same words and judged by the same code; a foreign model says what it likes.

asking.py   what is asked, and how long an answer may be    opening.py  the argument MODEL → an engine
transformers.py  checkpoints of others                      endpoint.py  models behind an address
"""

from __future__ import annotations

from skymoe.evaluation.engines.opening import Opened, open_engine

__all__ = ["Opened", "open_engine"]
