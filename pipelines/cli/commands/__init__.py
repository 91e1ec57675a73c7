"""The commands: one file each, named like the command (`lr_find.py` is `graft lr-find`).

The first line of a file's docstring is what `graft --help` prints for it. A command imports what it
needs when it runs: all of these files are imported to parse one command line.
"""

import argparse


class Command:
    """Base of the commands; the class of `lr_find.py` is `LrFindCommand`."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Run the command.

        Raises:
            GraftError: a mistake that the user can mend (exit code 2).
            Interrupted: a signal stopped it (exit code 130).
        """
        raise NotImplementedError
