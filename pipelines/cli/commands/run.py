"""Fine-tune as a recipe says."""

import argparse

from pipelines.cli.commands._recipe import RecipeCommand, load
from pipelines.core.errors import Interrupted


class Run(RecipeCommand):
    """The main job; `accelerate launch pipelines/run.py` starts it, too."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Train, score, save and report; says how to go on where it is interrupted."""
        loaded = load(parsed)
        from pipelines.workflow import run as pipeline

        try:
            pipeline.run(loaded)
        except Interrupted as stop:
            resume = "training.resume_from_checkpoint=true"
            raise Interrupted(f"{stop}; to go on, run the same command with {resume}") from None
