"""List finished and unfinished runs, find the best, show or remove some."""

import argparse
import json
import sys
from pathlib import Path

from pipelines.cli.commands import Command
from pipelines.core.errors import RunError

WORDS = "a folder of runs (runs); or: show RUN, rm RUN…"


class RunsCommand(Command):
    """List, show and remove run folders; nothing heavy is imported."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `[ROOT] [options]`, `show RUN` and `rm RUN… [--yes]`."""
        parser.add_argument("words", metavar="ROOT", nargs="*", help=WORDS)
        parser.add_argument(
            "--sort",
            metavar="COLUMN",
            default="run",
            help="run, task, checkpoint, strategy, metric, validation, test, time, date or state",
        )
        parser.add_argument("--task", metavar="TASK", help="runs of this task only")
        parser.add_argument("--strategy", metavar="STRATEGY", help="runs of this strategy only")
        parser.add_argument(
            "--best",
            action="store_true",
            help="the best run of each recipe, by validation (never by test)",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument("--yes", action="store_true", help="rm: do not ask")
        parser.set_defaults(overrides=[])  # takes the words that stand behind an option

    def run(self, parsed: argparse.Namespace) -> None:
        """Print a table, a run, or what was removed.

        Raises:
            RunError: a folder that is not there or no run, a column or value that does not exist.
        """
        action, *rest = [*parsed.words, *parsed.overrides] or ["runs"]
        if action in ("show", "rm"):
            if not rest:
                raise RunError(f"graft runs {action}: name a run folder, such as runs/bert_sst2/1")
            (_show if action == "show" else _remove)(list(map(Path, rest)), parsed)
        elif rest:
            raise RunError(f"graft runs {action} {rest[0]}: expected one folder, `show` or `rm`")
        else:
            _list(Path(action), parsed)


def _list(root: Path, parsed: argparse.Namespace) -> None:
    from pipelines.report import run_list

    rows = run_list.select(run_list.find(root), task=parsed.task, strategy=parsed.strategy)
    if parsed.best:
        rows = run_list.best(rows)
    rows = run_list.order(rows, parsed.sort)
    if parsed.json:
        print(json.dumps([row.json() for row in rows], indent=2))
        return
    is_whole = not (parsed.task or parsed.strategy or parsed.best)
    for line in run_list.lines(rows, run_list.comparisons(root) if is_whole else ()):
        print(line)


def _show(paths: list[Path], parsed: argparse.Namespace) -> None:
    from pipelines.report import run_details, run_row
    from pipelines.report.run_folder import RunFolder

    folders = [RunFolder.of(path) for path in paths]
    if parsed.json:
        rows = [run_row.read(folder.path) for folder in folders]
        print(json.dumps([row.json() for row in rows], indent=2))
        return
    for folder in folders:
        for line in run_details.lines(folder):
            print(line)


def _remove(paths: list[Path], parsed: argparse.Namespace) -> None:
    """Remove runs, all or none; one that may not be removed is refused first."""
    from pipelines.report import run_removal

    # a folder that is named twice is removed once
    folders = list(dict.fromkeys(run_removal.check(path) for path in paths))
    if not parsed.yes and not _confirms(", ".join(map(str, folders))):
        print("nothing was removed")
        return
    run_removal.remove(folders)
    for folder in folders:
        print(f"removed {folder}")


def _confirms(names: str) -> bool:
    """Ask on a terminal.

    Raises:
        RunError: there is nobody to answer.
    """
    if not sys.stdin.isatty():
        raise RunError(f"graft runs rm: {names}: nobody can be asked here; add --yes")
    return input(f"remove {names}? [y/N] ").strip().lower() in ("y", "yes")
