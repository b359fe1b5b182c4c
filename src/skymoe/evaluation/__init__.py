"""Numbers people can trust: benchmarks as data, predictions before scores, metrics with intervals, baselines beside.

benchmarks.py   which samples are asked what          metrics/       the numbers, from plain lists
predictions.py  asking a model, resumably             intervals.py   Wilson and bootstrap
scoring.py      prediction lines → numbers            baselines.py   blind pictures, constant answers
running.py      a whole evaluation                    report.py      JSON, Markdown, terminal
"""
