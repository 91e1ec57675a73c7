"""Rank checkpoints for a recipe by one pass each, and train the best few for some steps."""

import argparse

from pipelines.cli.commands._numbers import require
from pipelines.cli.commands._recipe import RecipeCommand, import_libraries

MIN_ROWS = 50


class RankCommand(RecipeCommand):
    """Print which checkpoint suits the data, how sure that is, and what it cost."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RECIPE [key=value …] --checkpoints A B … [--from FILE] [--rows N]`."""
        super().arguments(parser)
        parser.add_argument(
            "--checkpoints", nargs="+", default=[], metavar="ID", help="Hub ids or folders"
        )
        parser.add_argument("--from", dest="file", metavar="FILE", help="one of them on each line")
        parser.add_argument(
            "--rows", type=int, default=1000, help="rows of train, at most, to rank by (1000)"
        )
        parser.add_argument(
            "--finalists",
            type=int,
            default=2,
            help="how many of the best are trained for some steps; 0: none (2)",
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Print a table, how sure the first place is, and the checkpoint to use.

        Raises:
            RecipeError: recipe or options are wrong.
        """
        from pipelines.tuning.ranking import checkpoints

        require("--rows", parsed.rows, at_least=MIN_ROWS)
        require("--finalists", parsed.finalists, at_least=0)
        names = checkpoints.collect(parsed.checkpoints, parsed.file)
        overrides = tuple(parsed.overrides)
        import_libraries()
        from pipelines.tuning.ranking import rank

        rank.run(rank.RankRequest(parsed.recipe, overrides, names, parsed.rows, parsed.finalists))
