"""What a training will need before anyone pays for it: parameters, memory, arithmetic, time.

Nothing here imports torch but `on_meta` and `measuring`, which build real models where closed forms are not enough.
"""
