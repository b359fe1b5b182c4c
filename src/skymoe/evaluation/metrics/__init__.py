"""The metrics of the five tasks. Each takes plain lists and gives ``{name: {"value", "low", "high"}}``.

caption.py, vqa.py, ground.py, count.py, classify.py   the standard protocol, a task a file
paper.py                                               the `paper` protocol, for comparison with the SkyMoE tables only
calibration.py                                         how sure an answer is, and how sure it may be
groups.py                                              the same metrics for every part: by class, type, size

Behind captions: ptb.py (tokens), ngrams.py, bleu.py, cider.py, rouge.py, meteor.py and spice.py (Java);
behind questions: quantities.py (RSVQA's classes of numbers); behind `paper`: paper_captions.py.
"""
