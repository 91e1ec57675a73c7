"""Score finished runs on new labeled data, with intervals, by class and by slice."""

import argparse
from pathlib import Path

from pipelines.cli.commands import Command
from pipelines.cli.commands._data_keys import add_batch_size, is_data_key
from pipelines.cli.commands._numbers import require

DATA = "a table or a folder with labels, or a recipe whose data: says what to read"


class EvaluateCommand(Command):
    """Score runs on data that they have not seen; neither models nor run folders are changed."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RUN… --data RECIPE-OR-PATH [data.key=value …] [--by COLUMN] [--json]`."""
        parser.add_argument("runs", metavar="RUN", nargs="+", help="a run folder")
        parser.add_argument("--data", metavar="RECIPE-OR-PATH", required=True, help=DATA)
        parser.add_argument("--by", metavar="COLUMN", help="score the rows of each value apart")
        parser.add_argument("--split", metavar="NAME", help="of several; else test, or a usual one")
        parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
        parser.add_argument(
            "-o",
            "--output",
            metavar="FOLDER",
            type=Path,
            help="a new folder for the numbers and a table of examples",
        )
        add_batch_size(parser)

    def run(self, parsed: argparse.Namespace) -> None:
        """Score, print, and write if a folder is named.

        Raises:
            GraftError: a run, the data or the folder cannot be used.
        """
        import json

        from pipelines.core.console import say, warn
        from pipelines.report import data_evaluation, data_evaluation_text

        require("--batch-size", parsed.batch_size, at_least=1)
        if parsed.output is not None:  # before anything heavy is imported
            data_evaluation.check(parsed.output)
        from pipelines.workflow.scoring.evaluate import evaluate

        overrides = [*parsed.overrides, *(word for word in parsed.runs if is_data_key(word))]
        result = evaluate(
            [word for word in parsed.runs if not is_data_key(word)],
            parsed.data,
            by=parsed.by,
            split=parsed.split,
            batch_size=parsed.batch_size,
            overrides=overrides,
            note=warn,
        )
        if result.left_out:
            row, reason = next(iter(result.left_out.items()))
            warn(f"{len(result.left_out):,} rows are left out: row {row}: {reason}")
        if parsed.output is not None:
            data_evaluation.write(result, parsed.output)
            warn(f"{parsed.output}: written")
        lines = [json.dumps(result.json())] if parsed.json else data_evaluation_text.lines(result)
        say("\n".join(lines))
