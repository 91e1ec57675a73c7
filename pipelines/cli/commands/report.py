"""Draw report.html of finished runs or comparisons again, from the files in their folders."""

import argparse
from pathlib import Path

from pipelines.cli.commands import Command


class ReportCommand(Command):
    """Write one page on a run: scores, data, curves, mistakes, and how to use what came of it."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RUN…`."""
        parser.add_argument(
            "runs",
            metavar="RUN",
            nargs="+",
            help="folders of runs or comparisons, such as runs/bert_sst2/1",
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Write the pages, and print where they are."""
        from pipelines.report.page import document
        from pipelines.report.page.comparison import document as comparison_document
        from pipelines.report.run_folder import RunFolder
        from pipelines.report.run_paths import COMPARISON

        # a wrong path is refused before the first page is drawn
        folders: list[Path | RunFolder] = []
        for path in map(Path, parsed.runs):
            folders.append(path if (path / COMPARISON).is_file() else RunFolder.of(path))
        for folder in folders:
            if isinstance(folder, RunFolder):
                document.write(folder)
                print(folder.report)
            else:
                print(comparison_document.write(folder))
