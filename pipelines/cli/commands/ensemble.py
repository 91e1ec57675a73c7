"""Average the probabilities of finished runs, with weights chosen on validation."""

import argparse
from pathlib import Path

from pipelines.cli.commands import Command


class EnsembleCommand(Command):
    """Score models together, and put those that count into one folder."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RUN RUN … [--to FOLDER]`."""
        parser.add_argument(
            "runs", metavar="RUN", nargs="+", help="run folders on the same data, two or more"
        )
        parser.add_argument(
            "--to", metavar="FOLDER", default="ensemble", help="a new folder (ensemble)"
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Print a table, write the folder, and print what it is used by."""
        from pipelines.core.console import say
        from pipelines.report import ensemble as report
        from pipelines.workflow import ensemble

        folder = Path(parsed.to)
        report.check(folder)
        built = ensemble.build(parsed.runs)
        for line in built.lines():
            say(line)
        report.write(built, folder)
        say(f"model: {folder}\n\n{built.usage(folder)}")
