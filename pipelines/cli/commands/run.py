"""Fine-tune, evaluate and save, as a recipe says."""

import argparse

from pipelines.cli.commands._recipe import RecipeCommand, load


class RunCommand(RecipeCommand):
    """Train a recipe; `accelerate launch pipelines/run.py` runs this command, too."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Train, evaluate, save and report; when interrupted, print how to resume."""
        loaded = load(parsed)
        from pipelines.workflow import session

        session.run(loaded)
