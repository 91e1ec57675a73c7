"""Choosing rates and other values of a recipe before the run that counts."""
