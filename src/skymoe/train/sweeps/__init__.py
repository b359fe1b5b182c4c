"""One training repeated with something changed: the grid of an ablation, trained, judged and tabled.

schema.py    the sweep file                     running.py  all runs, one after the other, and what is done of them
settings.py  from a cell to its recipe          judging.py  a run's model on the sweep's benchmarks
table.py     means and deviations over repeats  writing.py  the table as Markdown, JSON, CSV and for the terminal
"""
