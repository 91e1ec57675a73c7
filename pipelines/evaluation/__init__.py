"""How good predictions are: scores, metrics and calibration.

scorer.py        the metrics of a recipe, together; model outputs -> predictions
fold_scores.py   scores of folds, and what each adds to that of all
scores.py        logits -> the probabilities that a metric may take
averages.py      `f1_macro` in one word
metric.py        one entry of `metrics:`, checked at once and loaded when it first scores
metric_source.py what a metric's file declares, without importing it
metrics/         one file per metric
shift/           how far a target domain is from the source
calibration/     whether probabilities are true: temperature, reliability, prediction sets
"""
