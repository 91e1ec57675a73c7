"""Write the model of a finished run as ONNX, and compare it with the saved one."""

import argparse
from pathlib import Path

from pipelines.cli.commands import Command
from pipelines.cli.commands._recipe import import_libraries


class ExportCommand(Command):
    """Export a run's model; batch and length stay free."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RUN [--int8] [--to FOLDER]`."""
        parser.add_argument("folder", metavar="RUN", help="a run folder such as runs/bert_sst2/1")
        parser.add_argument(
            "--int8", action="store_true", help="a second file with weights in 8 bits"
        )
        parser.add_argument(
            "--to", metavar="FOLDER", type=Path, help="where files go (onnx in the run folder)"
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Print how the files compare with the saved model, and lines that use them.

        Raises:
            GraftError: the run is not finished, or its model cannot be exported.
        """
        from pipelines.core.console import say
        from pipelines.models.output import onnx_file

        onnx_file.check_installed()
        import_libraries()
        from pipelines.report import onnx_usage
        from pipelines.workflow import export
        from pipelines.workflow.finished_run import Run

        run = Run.open(parsed.folder)
        exported = export.export(run, parsed.to, int8=parsed.int8)
        for each in exported:
            say(str(each))
        say(onnx_usage.usage(run.folder, run.recipe.task, exported[0].path))
