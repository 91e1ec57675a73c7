"""Fine-tune, evaluate and save, as a recipe says."""

import argparse

from pipelines.cli.commands._recipe import RecipeCommand, load

RESUME = "training.resume_from_checkpoint=true"


class RunCommand(RecipeCommand):
    """Train a recipe; `accelerate launch pipelines/run.py` runs this command, too."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RECIPE [key=value …] [--resume]`."""
        super().arguments(parser)
        parser.add_argument(
            "--resume",
            action="store_true",
            help="go on with the newest unfinished run of this recipe; a certain one: "
            "training.resume_from_checkpoint=runs/x/3",
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Train, evaluate, save and report; when interrupted, print how to resume."""
        if parsed.resume:  # a run that is named has the last word
            parsed.overrides.insert(0, RESUME)
        loaded = load(parsed)
        from pipelines.workflow import session

        session.run(loaded)
