"""The command line, loaded in a moment: modules are imported where a signal has its message."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (0, 2 for a mistake, 130 when interrupted)."""
    from pipelines.core import stopping
    from pipelines.core.launcher import follow_launcher

    with stopping.handling(stopping.interrupt):
        follow_launcher()
        with stopping.handling(stopping.leave):
            from pipelines.cli import command_line

        return command_line.execute(arguments)
