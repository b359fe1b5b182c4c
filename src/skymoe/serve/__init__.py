"""A model behind an address: the OpenAI-compatible API (`skymoe serve`)."""
