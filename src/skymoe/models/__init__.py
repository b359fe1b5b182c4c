"""The architectures. Importing any of them registers all with Transformers' Auto classes."""

from . import rsmoe as rsmoe
from . import skymoe as skymoe
