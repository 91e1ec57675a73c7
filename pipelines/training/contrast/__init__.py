"""Training an encoder of texts by comparing them: those of one class become similar.

job.py        a job on pairs of rows, by the loss below
pairs.py      two rows of a class, drawn when they are needed
embedder.py   a text -> a vector of length 1
loss.py       the loss of a batch: every text in it is compared with every other
head.py       what is solved on the vectors then
"""
