"""Predict texts, files, folders and tables with a finished run, or with any checkpoint."""

import argparse
from pathlib import Path

from pipelines.cli.commands import Command
from pipelines.cli.commands._data_keys import add_batch_size, is_data_key
from pipelines.cli.commands._numbers import require
from pipelines.core.disk import require_writable
from pipelines.core.errors import RunError

INPUT = "texts, a table, a file or a folder; - reads lines, or JSON Lines, from standard input"


class PredictCommand(Command):
    """Predict new examples; rows keep their order and all their columns."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RUN INPUT… [data.key=value …] [-o FILE] [--top-k K] [--split NAME]`."""
        parser.add_argument(
            "model", metavar="RUN", help="a run folder, another folder or a Hub id of a checkpoint"
        )
        parser.add_argument("inputs", metavar="INPUT", nargs="+", help=INPUT)
        parser.add_argument(
            "-o",
            "--output",
            metavar="FILE",
            type=Path,
            help="a .csv, .jsonl or .parquet file; without it, JSON Lines go to standard output",
        )
        parser.add_argument(
            "--top-k", type=int, default=0, metavar="K", help="add the K likeliest labels"
        )
        parser.add_argument("--split", metavar="NAME", help="of a folder with several splits")
        add_batch_size(parser)

    def run(self, parsed: argparse.Namespace) -> None:
        """Predict, write, and print what was inferred and which rows were left out.

        Raises:
            GraftError: the model, the inputs or the output cannot be used.
        """
        from pipelines.report import prediction_files

        require("--batch-size", parsed.batch_size, at_least=1)
        output: Path | None = parsed.output
        if output is not None:  # before anything heavy is imported
            prediction_files.check(output)
            if not output.absolute().parent.is_dir():
                raise RunError(f"{output}: no such folder: {output.absolute().parent}")
            require_writable(output)
        from pipelines.workflow.inference import to_file

        overrides = [*parsed.overrides, *filter(is_data_key, parsed.inputs)]
        to_file.predict(
            parsed.model,
            [word for word in parsed.inputs if not is_data_key(word)],
            output,
            top_k=parsed.top_k,
            split=parsed.split,
            batch_size=parsed.batch_size,
            overrides=overrides,
        )
