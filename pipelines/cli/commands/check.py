"""Everything but training: recipe, data, model, a sample, parameters, memory."""

import argparse

from pipelines.cli.commands._recipe import RecipeCommand, load


class Check(RecipeCommand):
    """Mistakes are found before the GPU is."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Print what a run would do."""
        loaded = load(parsed)
        from pipelines.workflow import check

        print(check.report(loaded))
