"""Do everything but train: check recipe, data and model, estimate memory."""

import argparse

from pipelines.cli.commands._recipe import RecipeCommand, load
from pipelines.core.console import say


class CheckCommand(RecipeCommand):
    """Find mistakes before the GPU is busy."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RECIPE [key=value …] [--shift]`."""
        super().arguments(parser)
        parser.add_argument(
            "--shift",
            action="store_true",
            help="compare data.target with train on features of the frozen encoder",
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Print the report of `workflow.check`."""
        loaded = load(parsed)
        from pipelines.workflow import session

        say(session.check(loaded, shift=parsed.shift))
