"""Search the best values of some keys on validation; test is left aside."""

import argparse

from pipelines.cli.commands._recipe import RecipeCommand, import_libraries
from pipelines.core.errors import RecipeError


class Search(RecipeCommand):
    """Trials of a recipe by Optuna; run again, the same command goes on."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """RECIPE --space SPACE… [key=value …] [--trials N] [--timeout SECONDS]"""
        super().arguments(parser)
        parser.add_argument(
            "--space",
            action="append",
            required=True,
            metavar="SPACE",
            help="a YAML file, or key=values such as training.learning_rate=1e-5..1e-3 or "
            "strategy=full,lora; may stand several times",
        )
        parser.add_argument("--trials", type=int, default=20, help="in total (20)")
        parser.add_argument(
            "--timeout", type=float, default=3600, help="seconds until no trial starts (3600)"
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Print a line for each trial, the table, and the command that trains the best."""
        from pipelines.tuning.search import checks, space

        if parsed.trials < 1:
            raise RecipeError(f"command line: --trials {parsed.trials}: expected at least 1")
        found = space.load(parsed.space)
        first = checks.refuse(found, parsed.recipe, parsed.overrides)
        import_libraries()
        from pipelines.tuning.search import trials

        said = tuple(parsed.overrides)
        asked = trials.Search(parsed.recipe, said, found, parsed.trials, parsed.timeout)
        trials.run(asked, first)
