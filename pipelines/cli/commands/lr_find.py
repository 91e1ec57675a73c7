"""Find a learning rate: train briefly while it rises, and draw the loss."""

import argparse
import shlex

from pipelines.cli.commands._recipe import RecipeCommand, import_libraries


class LrFindCommand(RecipeCommand):
    """Run the range test of arXiv 1506.01186 on the recipe's training split."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RECIPE [key=value …] [--low LOW] [--high HIGH] [--steps STEPS]`."""
        super().arguments(parser)
        parser.add_argument("--low", type=float, default=1e-7, help="first learning rate (1e-7)")
        parser.add_argument("--high", type=float, default=1.0, help="last learning rate (1)")
        parser.add_argument("--steps", type=int, default=100, help="number of steps (100)")

    def run(self, parsed: argparse.Namespace) -> None:
        """Print losses, two learning rates, and the command that trains with the better one."""
        from pipelines import recipe
        from pipelines.tuning import lr_find
        from pipelines.tuning.sweep import Sweep

        loaded = recipe.load(parsed.recipe, parsed.overrides)
        lr_find.require_gradient_steps(loaded)
        sweep = Sweep(parsed.low, parsed.high, parsed.steps)
        import_libraries()
        others = [o for o in parsed.overrides if not o.startswith("training.learning_rate=")]
        lr_find.run(loaded, sweep, shlex.join(["graft", "run", parsed.recipe, *others]))
