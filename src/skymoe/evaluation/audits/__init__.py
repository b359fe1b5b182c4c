"""Audits: the questions that a table of accuracies leaves open. `skymoe audit` runs them.

masking.py      does a count follow the objects? (the paper's Figure 1)     masking_numbers.py  slope, what did not move
blind.py        what is left without the picture?                           contrast.py         kinds of pictures
phrasing.py     does the answer depend on how the question is put?          measures.py         lines of the tables
resolution.py   what is lost with half and a quarter of the detail?         examples.py         pictures for the page
invariance.py   do order, company or repetition change an answer?           plots.py            charts as SVG
calibration.py  is the model right as often as it is sure?                  report.py page.html JSON, Markdown, HTML
bench.py        asking a benchmark with one thing changed, resumably        running.py          all of it
"""
