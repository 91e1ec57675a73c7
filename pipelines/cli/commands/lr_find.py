"""Find a learning rate: a short training in which it rises, and a picture of the loss."""

import argparse
import shlex

from pipelines.cli.commands._recipe import RecipeCommand, import_libraries


class LrFind(RecipeCommand):
    """The range test of arXiv 1506.01186, on what the recipe would train on."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """RECIPE [key=value …] [--low LOW] [--high HIGH] [--steps STEPS]"""
        super().arguments(parser)
        parser.add_argument("--low", type=float, default=1e-7, help="the first rate (1e-7)")
        parser.add_argument("--high", type=float, default=1.0, help="the last rate (1)")
        parser.add_argument("--steps", type=int, default=100, help="steps between them (100)")

    def run(self, parsed: argparse.Namespace) -> None:
        """Print the losses, two rates and the command that trains with the suggested one."""
        from pipelines import recipe
        from pipelines.tuning import lr_find

        loaded = recipe.load(parsed.recipe, parsed.overrides)
        lr_find.refuse(loaded)
        sweep = lr_find.Sweep(parsed.low, parsed.high, parsed.steps)
        import_libraries()
        said = [o for o in parsed.overrides if not o.startswith("training.learning_rate=")]
        lr_find.run(loaded, sweep, shlex.join(["graft", "run", parsed.recipe, *said]))
