"""What to fine-tune, on what, how: YAML and overrides -> a frozen, checked Recipe."""

from pipelines.recipe.reading import KINDS, SHORTHANDS, read
from pipelines.recipe.recipe import Recipe, build, load
from pipelines.recipe.staged import StagedRecipe

__all__ = [
    "KINDS",
    "SHORTHANDS",
    "Recipe",
    "StagedRecipe",
    "build",
    "load",
    "read",
]
