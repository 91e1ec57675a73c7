"""Search for the best values of some keys on validation; test is not touched."""

import argparse
from functools import partial

from pipelines.cli.commands._recipe import RecipeCommand, import_libraries
from pipelines.core.errors import RecipeError


class SearchCommand(RecipeCommand):
    """Run trials of a recipe with Optuna; the same command, run again, continues them."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RECIPE --space SPACE… [key=value …] [--trials N] [--storage PLACE] …`."""
        super().arguments(parser)
        parser.add_argument(
            "--space",
            action="append",
            required=True,
            metavar="SPACE",
            help="a YAML file, or key=values such as training.learning_rate=1e-5..1e-3 or "
            "strategy=full,lora; may be repeated",
        )
        parser.add_argument("--trials", type=int, default=20, help="number of trials in total (20)")
        parser.add_argument(
            "--timeout",
            type=float,
            default=3600,
            help="seconds after which no new trial starts (3600)",
        )
        parser.add_argument(
            "--storage",
            help="where trials lie that several workers share: a file in a folder that all see, or "
            "a database such as postgresql://host/name (study.log in the search's folder)",
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Print a line for each trial, a table, and the command that trains the best recipe.

        Raises:
            RecipeError: recipe, overrides or space are wrong.
        """
        from pipelines import recipe
        from pipelines.recipe.yaml_reader import parse_override
        from pipelines.tuning.search import checks, space_reader
        from pipelines.tuning.search.request import SearchRequest

        if parsed.trials < 1:
            raise RecipeError(f"command line: --trials {parsed.trials}: expected at least 1")
        space = space_reader.load(parsed.space)
        fixed = [*map(parse_override, parsed.overrides)]
        built = checks.validate(space, partial(recipe.load, parsed.recipe), fixed)
        import_libraries()
        from pipelines.tuning.search import trials

        overrides = tuple(parsed.overrides)
        trials.run(
            SearchRequest(
                parsed.recipe, overrides, space, parsed.trials, parsed.timeout, parsed.storage
            ),
            built,
        )
