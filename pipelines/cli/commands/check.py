"""Do everything but train: check recipe, data and model, estimate memory."""

import argparse

from pipelines.cli.commands._recipe import RecipeCommand, load


class CheckCommand(RecipeCommand):
    """Find mistakes before the GPU is busy."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Print the report of `workflow.check`."""
        loaded = load(parsed)
        from pipelines.workflow import session

        print(session.check(loaded))
