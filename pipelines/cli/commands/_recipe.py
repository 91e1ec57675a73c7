"""A recipe and its overrides, as several commands take them."""

import argparse
import atexit
import gc
from typing import TYPE_CHECKING

from pipelines.cli.commands import Command

if TYPE_CHECKING:
    from pipelines.recipe import Recipe

OVERRIDES = "such as strategy=lora training.learning_rate=3e-5 data.limit.train=2000"


class RecipeCommand(Command):
    """Base of the commands that are about a recipe."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """RECIPE [key=value …]"""
        parser.add_argument(
            "recipe", metavar="RECIPE", help="a YAML file, such as recipes/quickstart.yaml"
        )
        parser.add_argument("overrides", nargs="*", metavar="key=value", help=OVERRIDES)


def load(parsed: argparse.Namespace) -> "Recipe":
    """The recipe, refused before anything heavy loads; then the libraries that all recipes need."""
    from pipelines import recipe

    loaded = recipe.load(parsed.recipe, parsed.overrides)
    import_libraries()
    return loaded


def import_libraries() -> None:
    """What every recipe needs, without the garbage collector.

    This makes a million objects that stay. To search them for garbage takes a seventh of the time
    of importing, and later a fifth of a second each time that everything is searched.
    """
    gc.disable()
    import transformers.trainer  # noqa: F401

    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)  # triton takes what is never collected for a leak, and says so
