"""What is kept on disk to be computed only once: encoded examples, features."""

import argparse

from pipelines.cli.commands import Command
from pipelines.core.errors import RunError


class Cache(Command):
    """Look at what `pipelines.core.cache` keeps, or remove some of it."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """ls, or rm NAME… or --all"""
        parser.add_argument("action", choices=("ls", "rm"), help="list, or remove")
        parser.add_argument(
            "names", nargs="*", metavar="NAME", help="a kind, kind/key, or how a key begins"
        )
        parser.add_argument("--all", action="store_true", help="rm: everything")

    def run(self, parsed: argparse.Namespace) -> None:
        """Print the entries, or what was removed."""
        from pipelines.core import cache

        kept = cache.entries()
        if parsed.action == "ls":
            for entry in kept:
                size = f"{entry.num_bytes / 1e6:,.1f} MB"
                print(f"{entry.name:42} {size:>12}  {cache.age(entry):>6}  {entry.about}")
            total, most = sum(entry.num_bytes for entry in kept), cache.limit()
            print(f"{total / 1e9:.2f} of {most / 1e9:g} GB (GRAFT_CACHE_GB) in {cache.folder()}")
            return
        if not parsed.names and not parsed.all:
            raise RunError(
                "graft cache rm: name what to remove, as `graft cache ls` does, or --all"
            )
        names = [entry.name for entry in kept] if parsed.all else parsed.names
        removed = [*cache.remove(names)]
        print(f"removed {len(removed)}, {sum(e.num_bytes for e in removed) / 1e6:,.1f} MB")
