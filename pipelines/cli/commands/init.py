"""Look at data and write a recipe for them that runs."""

import argparse
import re
import shlex
from pathlib import Path

from pipelines.cli.commands import Command
from pipelines.core import registry
from pipelines.core.console import say, wrapped
from pipelines.core.errors import RecipeError, RunError

ONLY_DATA = "graft init takes data.KEY=VALUE; all other keys are for `graft run`, or for the recipe"


class InitCommand(Command):
    """`graft init messages.csv && graft run messages.yaml` is a first model."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `PATH [data.KEY=VALUE …] [--model ID] [--task NAME] [-o FILE]`."""
        parser.add_argument(
            "path", metavar="PATH", help="a table, a folder, or OWNER/NAME of a data set on the Hub"
        )
        parser.add_argument(
            "overrides",
            nargs="*",
            default=[],
            metavar="data.KEY=VALUE",
            help="such as data.name=sst2 data.columns.label=stars data.splits.train=learn",
        )
        parser.add_argument("--model", metavar="ID", help="a checkpoint: a Hub id or a folder")
        parser.add_argument(
            "--task", metavar="NAME", help=f"one of {', '.join(registry.names('tasks'))}"
        )
        parser.add_argument("-o", "--output", metavar="FILE", help="the recipe (NAME.yaml)")

    def run(self, parsed: argparse.Namespace) -> None:
        """Write the recipe, and print what was chosen and how to run it.

        Raises:
            RunError: there is such a file already, or it cannot be written.
            GraftError: the data cannot be read, or fit no task.
        """
        from pipelines import recipe
        from pipelines.recipe import hints
        from pipelines.report.writing import writing

        target = Path(parsed.output or f"{_stem(parsed.path)}.yaml")
        if target.exists():
            raise RunError(f"{target}: exists already; name another file: -o FILE")
        if parsed.task:  # before anything heavy is imported
            hint = hints.of_kind("task", parsed.task)
            if hint:
                raise RecipeError(hint)
            registry.check("tasks", parsed.task)
        for override in parsed.overrides:
            if not override.startswith("data."):
                raise RecipeError(f"command line: '{override}': {ONLY_DATA}")
        from pipelines.workflow.draw import draw

        drawn = draw(parsed.path, parsed.overrides, model=parsed.model, task=parsed.task)
        lines = [*drawn.lines(target.absolute().parent)]
        with writing(target):
            target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        recipe.load(target)  # what was written is what was meant
        for note in drawn.data.notes:
            say(wrapped(note))
        say("\n".join(lines))
        print(f"wrote {target}; to run it: {shlex.join(['graft', 'run', str(target)])}")


def _stem(path: str) -> str:
    """Name a recipe after its data: `messages.csv.gz` and `owner/messages` give `messages`."""
    name = Path(path).absolute().name
    return re.sub(r"\W+", "_", name.partition(".")[0]).strip("_") or "recipe"
