"""Context-disentangled augmentation (SkyMoE, "Context-Disentangled Data Augmentation").

Local things change, the scene does not: objects are masked so that the count changes (`cutout`), moved so that the
words of place change (`relocate`), coloured so that the colour word changes (`recolour`). Each result tells what was
done (`Sample.edits`), shares a `pair` with its original, and passes an independent checker (`check`).
Needs OpenCV: ``pip install 'skymoe[augment]'``.
"""

from skymoe.augment.build import Settings, build, recheck
from skymoe.augment.check import check
from skymoe.augment.cutout import cutout
from skymoe.augment.edited import Edited, Outcome, RefusedError
from skymoe.augment.recolour import recolour
from skymoe.augment.relocate import relocate

__all__ = [
    "Edited",
    "Outcome",
    "RefusedError",
    "Settings",
    "build",
    "check",
    "cutout",
    "recheck",
    "recolour",
    "relocate",
]
