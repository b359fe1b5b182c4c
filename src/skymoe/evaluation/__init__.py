"""Numbers people can trust: benchmarks as data, predictions before scores, metrics with intervals, baselines beside.

benchmarks/     which samples are asked what           metrics/       the numbers, from plain lists
engines/        whoever is asked                       intervals.py   Wilson and bootstrap
predictions.py  asking a model, resumably              baselines.py   blind pictures, constant answers
lines.py        prediction lines of anybody            scoring.py     prediction lines → numbers
checking.py     what a line must hold                  judging.py     the standard protocol, task by task
converters.py   other projects' files                  judging_paper.py  the paper's presumable rules
notations.py    how a file writes boxes                comparing.py   which differences are real
columns.py      metrics as functions of sums           runs.py        what two runs share
running.py      a whole evaluation                     report/        JSON, Markdown, terminal, web page
questions.py    questions for models elsewhere         published/     the paper's numbers
audits/         whether it looks at the picture        routing/       what the experts do
lmms/           the plug-in for lmms-eval
"""
