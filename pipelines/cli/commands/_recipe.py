"""What the commands share that take a recipe and overrides."""

import argparse
import atexit
import gc
from typing import TYPE_CHECKING, ClassVar

from pipelines.cli.commands import Command
from pipelines.core import stopping
from pipelines.core.console import busy

if TYPE_CHECKING:
    from pipelines.recipe import Recipe, StagedRecipe

OVERRIDES = "such as strategy=lora training.learning_rate=3e-5 data.limit.train=2000"


class RecipeCommand(Command):
    """Base of the commands that take a recipe."""

    recipe_help: ClassVar[str] = "a YAML file, or a name that `graft list` prints"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RECIPE [key=value …]`."""
        parser.add_argument("recipe", metavar="RECIPE", help=self.recipe_help)
        # a default, or argparse calls them required when RECIPE is missing
        parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help=OVERRIDES)


def load(parsed: argparse.Namespace) -> "Recipe | StagedRecipe":
    """Load the recipe, refused before anything heavy loads; then import what all recipes need."""
    with stopping.handling(stopping.leave):
        from pipelines.recipe import staged

        loaded = staged.load(parsed.recipe, parsed.overrides)
    import_libraries()
    return loaded


def import_libraries() -> None:
    """Import what every recipe needs, with the garbage collector off.

    The imports make a million objects that stay. Searching them for garbage takes a seventh of the
    import time, and later a fifth of a second in each full collection.
    """
    gc.disable()
    with stopping.handling(stopping.leave), busy("loading libraries"):
        import transformers.trainer  # noqa: F401

    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)  # triton takes what is never collected for a leak, and says so
