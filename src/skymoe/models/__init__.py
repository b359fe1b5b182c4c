"""The architectures. Importing any of them registers all with Transformers' Auto classes."""

from . import skymoe as skymoe
