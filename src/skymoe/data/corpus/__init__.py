"""Instruction corpora: built by a recipe from sources, checked, and shown. See docs/data.md."""
