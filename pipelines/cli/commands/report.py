"""Draw report.html of finished runs again, from the files in their folders."""

import argparse

from pipelines.cli.commands import Command


class ReportCommand(Command):
    """Write one page on a run: scores, data, curves, mistakes, and how to use what came of it."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RUN…`."""
        parser.add_argument(
            "runs", metavar="RUN", nargs="+", help="run folders, such as runs/bert_sst2/1"
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Write the pages, and print where they are."""
        from pipelines.report.page import document
        from pipelines.report.run_folder import RunFolder

        # a wrong path is refused before the first page is drawn
        for folder in [RunFolder.of(run) for run in parsed.runs]:
            document.write(folder)
            print(folder.report)
