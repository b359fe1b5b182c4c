"""The standard metrics of the five tasks. Each takes plain lists and gives ``{name: {"value", "low", "high"}}``."""
