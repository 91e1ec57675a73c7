"""Fine-tune, evaluate and save, as a recipe says."""

import argparse

from pipelines.cli.commands._recipe import RecipeCommand, load
from pipelines.core.errors import Interrupted


class RunCommand(RecipeCommand):
    """Train a recipe; `accelerate launch pipelines/run.py` runs this command, too."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Train, evaluate, save and report; when interrupted, print how to resume."""
        loaded = load(parsed)
        from pipelines.workflow import run as pipeline

        try:
            pipeline.run(loaded)
        except Interrupted as stop:
            resume = "training.resume_from_checkpoint=true"
            raise Interrupted(f"{stop}; to go on, run the same command with {resume}") from None
