"""What the experts do: which of them fire for which task, granularity and kind of token, and what that tells.

questions.py    pictures, each asked everything    tracing.py    a model's choices, counted
information.py  mutual information and chance      balance.py    how evenly experts are used
analysis.py     counts → the report                comparing.py  two models on the same questions
running.py      a whole analysis                   charts.py, page.py, page.html   the page to look at
"""
