"""Numbers people can trust: benchmarks as data, predictions before scores, metrics with intervals, baselines beside.

benchmarks/     which samples are asked what           metrics/       the numbers, from plain lists
engines/        whoever is asked                       intervals.py   Wilson and bootstrap
predictions.py  asking a model, resumably              baselines.py   blind pictures, constant answers
lines.py        prediction lines of anybody            scoring.py     prediction lines → numbers
running.py      a whole evaluation                     report/        JSON, Markdown, terminal, web page
questions.py    questions for models elsewhere         published/     the paper's numbers
audits/         whether it looks at the picture        routing/       what the experts do
lmms/           the plug-in for lmms-eval
"""
