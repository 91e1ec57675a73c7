"""Serve a page on this machine that predicts with a finished run."""

import argparse

from pipelines.cli.commands import Command
from pipelines.cli.commands._numbers import require


class DemoCommand(Command):
    """Show a model in the browser; nothing leaves this machine."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RUN [--port N] [--no-browser]`."""
        parser.add_argument(
            "model", metavar="RUN", help="a run folder, another folder or a Hub id of a checkpoint"
        )
        parser.add_argument(
            "--port", type=int, metavar="N", help="of localhost (the first free one from 7860)"
        )
        parser.add_argument(
            "--no-browser", action="store_true", help="print the address, and open no browser"
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Serve the page until Ctrl-C.

        Raises:
            GraftError: gradio is missing, the model cannot be used, or the port is not free.
        """
        if parsed.port is not None:
            require("--port", parsed.port, at_least=1)
        from pipelines.workflow.demo import run

        run.run(parsed.model, parsed.port, opens_browser=not parsed.no_browser)
