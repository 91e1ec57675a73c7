"""Estimates of how well frozen features transfer to a task, before anything is trained on them.

h_score          regularized H-score (arXiv 2110.06893)
log_evidence     LogME, with the term that published code leaves out (arXiv 2102.11005)
neighbors        how often the nearest neighbors have an example's class
"""
