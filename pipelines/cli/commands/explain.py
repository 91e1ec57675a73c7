"""Draw what the answers of a finished run rest on: tokens of a text, pixels of a picture."""

import argparse
from pathlib import Path

from pipelines.cli.commands import Command
from pipelines.cli.commands._recipe import import_libraries


class ExplainCommand(Command):
    """Explain predictions by integrated gradients, a picture for each input."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RUN INPUT… [--label NAME] [--to FOLDER]`."""
        parser.add_argument("folder", metavar="RUN", help="a run folder such as runs/bert_sst2/1")
        parser.add_argument("inputs", metavar="INPUT", nargs="+", help="texts, pictures or a table")
        parser.add_argument(
            "--label", metavar="NAME", help="the label to explain (the one that is predicted)"
        )
        parser.add_argument(
            "--to", metavar="FOLDER", type=Path, help="where pictures go (explanations in the run)"
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Print each picture with the answer and what speaks most for and against it.

        Raises:
            GraftError: the run or the inputs cannot be used.
        """
        from pipelines.core.console import say
        from pipelines.evaluation import attribution

        attribution.check_installed()
        import_libraries()
        from pipelines.workflow import explain
        from pipelines.workflow.finished_run import Run

        run = Run.open(parsed.folder)
        for each in explain.explain(run, parsed.inputs, parsed.to, parsed.label):
            say(str(each))
