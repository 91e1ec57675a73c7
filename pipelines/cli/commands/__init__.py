"""The commands: one file each, named like the command (`lr_find.py` is `graft lr-find`).

The first line of a file's docstring is what `graft --help` says about it. Whatever a command needs
it imports when it runs: all of these files are read to parse one command line.
"""

import argparse


class Command:
    """A command: what it takes, and what it does."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Do it.

        Raises:
            GraftError: a mistake that the user can mend: exit code 2.
            Interrupted: a signal asked to stop: exit code 130.
        """
        raise NotImplementedError
