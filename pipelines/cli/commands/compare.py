"""Compare variants of a recipe with several seeds, or finished runs, by validation."""

import argparse
import json
import shlex
from typing import TYPE_CHECKING

from pipelines.cli.commands import Command
from pipelines.core.errors import RecipeError

if TYPE_CHECKING:
    from pipelines.evaluation.comparison import Comparison

NUM_SEEDS = 3  # the fewest with a verdict


class CompareCommand(Command):
    """Run every variant with every seed; the same command, run again, goes on."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RECIPE --vary KEY=A,B… [key=value …] [options]` and `RUN RUN…`."""
        parser.add_argument(
            "words",
            metavar="RECIPE | RUN",
            nargs="+",
            help="a recipe, with key=value for all variants; or finished runs, two or more",
        )
        parser.add_argument(
            "--vary",
            action="append",
            metavar="KEY=A,B,C",
            help="a key of the recipe and its values, such as strategy=scratch,linear_probe,lora; "
            "may be repeated",
        )
        parser.add_argument("--seeds", type=int, metavar="N", help="runs of each variant (3)")
        parser.add_argument(
            "--fractions",
            metavar="A,B,C",
            help="shares of train, such as 0.01,0.1,1: how few labels are enough (1)",
        )
        parser.add_argument("--json", action="store_true", help="print every number as JSON")
        parser.set_defaults(overrides=[])  # takes the words that stand behind an option

    def run(self, parsed: argparse.Namespace) -> None:
        """Print a line for each run, a table, a verdict, and what to do next.

        Raises:
            GraftError: recipe, values, data or runs are wrong.
        """
        words = [*parsed.words, *parsed.overrides]
        if parsed.vary:
            compared = _run(words, parsed)
        else:
            _check_runs(words, parsed)
            from pipelines.tuning.comparison import finished

            compared = finished.compare(words)
        from pipelines.core.console import say
        from pipelines.report import comparison_text

        if parsed.json:
            from pipelines.report.strict_json import plain

            say(json.dumps(plain(compared.json()), indent=2))
            return
        for line in ("", *comparison_text.lines(compared)):
            say(line)
        if compared.folder:
            say(f"every number: {compared.folder}/comparison.json; pictures and runs beside it")
            say(f"report: {compared.folder}/report.html")
            best = compared.best(compared.fractions[-1])
            (overrides,) = (arm.overrides for arm in compared.arms if arm.name == best)
            say(f"to save its model: {shlex.join(['graft', 'run', *words, *overrides])}")


def _run(words: list[str], parsed: argparse.Namespace) -> "Comparison":
    """Run a comparison; of its lines only the JSON is printed where that is asked for."""
    from contextlib import nullcontext

    from pipelines.core.console import capture_stdout
    from pipelines.recipe.yaml_reader import parse_override
    from pipelines.tuning.comparison import session
    from pipelines.tuning.search import space_reader

    path, *overrides = words
    space = space_reader.load(parsed.vary, "--vary")
    fixed = [*map(parse_override, overrides)]
    with capture_stdout() if parsed.json else nullcontext():
        seeds = NUM_SEEDS if parsed.seeds is None else parsed.seeds
        return session.run(path, space, fixed, seeds, _fractions(parsed.fractions or "1"))


def _fractions(text: str) -> list[float]:
    """Read shares of train.

    Raises:
        RecipeError: one of them is no number.
    """
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise RecipeError(
            f"--fractions {text}: expected shares of train, such as 0.01,0.1,1"
        ) from None


def _check_runs(words: list[str], parsed: argparse.Namespace) -> None:
    """Refuse a recipe without anything that varies, and options that finished runs do not take.

    Raises:
        RecipeError: says what to add.
    """
    first = words[0]
    if (
        len(words) == 1
        or any("=" in word for word in words[1:])
        or first.endswith((".yaml", ".yml"))
    ):
        raise RecipeError(
            f"graft compare {first}: nothing varies; expected --vary strategy=full,lora beside a "
            "recipe, or two or more finished runs"
        )
    for option in ("seeds", "fractions"):
        if getattr(parsed, option) is not None:
            raise RecipeError(
                f"graft compare {first}: --{option} is for a recipe with --vary; finished runs are "
                "compared as they are"
            )
