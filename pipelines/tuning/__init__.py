"""Choosing the learning rate and other values of a recipe, before the run that counts.

lr_find   a short training with a rising rate: which rates make the loss fall
search    trials of values from a space, chosen on validation
"""
