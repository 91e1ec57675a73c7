"""Print recipes, tasks, sources, strategies, heads and metrics, a line for each."""

import argparse

from pipelines.cli.commands import Command
from pipelines.core import recipe_files, registry


class ListCommand(Command):
    """Print every name that a recipe can hold, and the recipes."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Print the names; none of the files is imported for it."""
        for package in registry.PACKAGES:
            print(f"{package}:")
            for name in registry.names(package):
                print(f"  {name:22} {registry.summary(package, name)}")
        print("recipes (graft run NAME, graft cp NAME):")
        for name, path in recipe_files.shipped().items():
            lines = path.read_text(encoding="utf-8").splitlines()
            comments = (text for text in lines if text.startswith("# ") and "$schema" not in text)
            print(f"  {name:26} {next(comments, '').removeprefix('# ')}")
        print("launch files, for several GPUs and machines (graft cp NAME):")
        for name, path in recipe_files.launch_files().items():
            lines = path.read_text(encoding="utf-8").splitlines()
            print(f"  {name:28} {next(text for text in lines if text.startswith('# '))[2:]}")
