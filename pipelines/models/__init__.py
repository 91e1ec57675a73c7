"""Checkpoints: loading, forward passes, memory, anatomy, and what comes out.

section.py            the recipe's `model:` section
load.py               a checkpoint's id -> model, processor and commit
revision.py           which commit of a repository
suitability.py        whether a checkpoint suits a task
timm_weights.py       random weights as timm draws them
quantization.py       frozen weights in 4 or 8 bits
library_warnings.py   silences what no user can act on
forward.py            passes over a data set, without gradients
memory.py             bytes of a training step
anatomy/              encoder, blocks and head of a model
output/               standard checkpoints that come out
"""
