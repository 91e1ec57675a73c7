"""Recipes, tasks, sources, strategies, heads and metrics, each with its one line."""

import argparse

from pipelines.cli.commands import Command
from pipelines.core import registry


class List(Command):
    """Whatever can be named in a recipe, and the recipes."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Print the names; none of the files is imported for it."""
        for package in registry.PACKAGES:
            print(f"{package}:")
            for name in registry.names(package):
                print(f"  {name:22} {registry.summary(package, name)}")
        print("recipes:")
        for path in registry.recipes():
            first = path.read_text(encoding="utf-8").splitlines()
            comments = (text for text in first if text.startswith("# ") and "$schema" not in text)
            print(f"  {path!s:34} {next(comments, '').removeprefix('# ')}")
