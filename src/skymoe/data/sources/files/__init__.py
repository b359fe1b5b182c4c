"""Readers of the formats users already have: told by options where the files are, wary of what is in them."""
