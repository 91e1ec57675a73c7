"""Fine-tune, evaluate and save, as a recipe says, or repeat a run from its lock."""

import argparse
from typing import TYPE_CHECKING, ClassVar

from pipelines.cli.commands._recipe import RecipeCommand, import_libraries, load

if TYPE_CHECKING:
    from pipelines.workflow.replay import Replay

RESUME = "training.resume_from_checkpoint=true"


class RunCommand(RecipeCommand):
    """Train a recipe, or repeat a run; `accelerate launch pipelines/run.py` does the same."""

    recipe_help: ClassVar[str] = f"{RecipeCommand.recipe_help}, or a run folder to repeat the run"

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
        """Train, evaluate, save and report; when interrupted, print how to resume.

        A run folder, or the lock in it, is repeated.
        """
        if parsed.resume:  # a run that is named has the last word
            parsed.overrides.insert(0, RESUME)
        loaded = _replay(parsed) or load(parsed)
        from pipelines.workflow import session

        session.run(loaded)


def _replay(parsed: argparse.Namespace) -> "Replay | None":
    """Return the run to repeat; None where a recipe is named."""
    from pipelines.workflow import replay

    if not replay.names_run(parsed.recipe):
        return None
    repeated = replay.Replay.of(parsed.recipe, parsed.overrides)
    import_libraries()
    return repeated
