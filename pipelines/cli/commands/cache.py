"""List or remove what is stored on disk: encoded examples, features."""

import argparse

from pipelines.cli.commands import Command
from pipelines.core.errors import RunError


class CacheCommand(Command):
    """List the entries of `pipelines.core.cache`, or remove some."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `ls`, `rm NAME…` and `rm --all`."""
        parser.add_argument("action", choices=("ls", "rm"), help="list, or remove")
        parser.add_argument(
            "names", nargs="*", metavar="NAME", help="a kind, kind/key, or how a key begins"
        )
        parser.add_argument("--all", action="store_true", help="rm: everything")

    def run(self, parsed: argparse.Namespace) -> None:
        """Print the entries, or how many were removed.

        Raises:
            RunError: `rm` without names.
        """
        from pipelines.core import cache, cache_folder

        entries = cache.entries()
        if parsed.action == "ls":
            for entry in entries:
                size = f"{entry.num_bytes / 1e6:,.1f} MB"
                print(f"{entry.name:42} {size:>12}  {entry.age:>6}  {entry.about}")
            total, limit = sum(entry.num_bytes for entry in entries), cache_folder.limit()
            print(
                f"{total / 1e9:.2f} of {limit / 1e9:g} GB (GRAFT_CACHE_GB) in {cache_folder.path()}"
            )
            return
        if not parsed.names and not parsed.all:
            raise RunError(
                "graft cache rm: name what to remove, as `graft cache ls` does, or --all"
            )
        names = [entry.name for entry in entries] if parsed.all else parsed.names
        removed = [*cache.remove(names)]
        print(f"removed {len(removed)}, {sum(e.num_bytes for e in removed) / 1e6:,.1f} MB")
