"""Features of a frozen encoder: computed in one forward pass, kept on disk, and read by heads.

extractor.py            the features of a model, from a pass or from disk
candidates.py           which features a model has to choose from
pooling.py              a sequence of hidden states -> one vector
layers.py               which blocks features come from
projection.py           a head's projection, solved together with its output layer
head_input.py           what a head with several layers reads of its encoder
activation_hook.py      catches hidden states during a forward pass
chunks.py               rows on disk, written as they are computed
fingerprints.py         the keys that they are found by
skip_frozen_blocks.py   a model that starts at one of its blocks
heads/                  solvers for a head on features, one file each
"""
