"""Print recipes, tasks, sources, strategies, heads and metrics, a line for each."""

import argparse

from pipelines.cli.commands import Command
from pipelines.core import recipe_files, registry
from pipelines.core.console import line_width, wrapped


class ListCommand(Command):
    """Print every name that a recipe can hold, and the recipes."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Print the names; none of the files is imported for it."""
        for package in registry.PACKAGES:
            print(f"{package}:")
            for name in registry.names(package):
                _print_row(f"  {name:22} ", registry.summary(package, name))
        print(wrapped("recipes (graft run NAME, graft cp NAME):"))
        for name, path in recipe_files.shipped().items():
            lines = path.read_text(encoding="utf-8").splitlines()
            comments = (text for text in lines if text.startswith("# ") and "$schema" not in text)
            _print_row(f"  {name:26} ", next(comments, "").removeprefix("# "))
        print(wrapped("launch files, for several GPUs and machines (graft cp NAME):"))
        for name, path in recipe_files.launch_files().items():
            lines = path.read_text(encoding="utf-8").splitlines()
            _print_row(f"  {name:28} ", next(text for text in lines if text.startswith("# "))[2:])


def _print_row(start: str, summary: str) -> None:
    """Print a name and what it is, further lines below the summary where they have room there."""
    width = line_width()
    has_room = width is None or width >= 2 * len(start)
    print(wrapped(start + summary, " " * (len(start) if has_room else 4)))
