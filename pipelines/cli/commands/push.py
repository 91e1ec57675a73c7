"""Push a finished run to the Hub."""

import argparse

from pipelines.cli.commands import Command


class PushCommand(Command):
    """Upload the model of a run folder, its processor and its card."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RUN REPO [--public]`."""
        parser.add_argument("run", metavar="RUN", help="a run folder, such as runs/bert_sst2/1")
        parser.add_argument("repo_id", metavar="REPO", help="owner/name")
        parser.add_argument(
            "--public",
            action="store_true",
            help="make a new repository public; it is private otherwise",
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Upload, and print the address."""
        from pipelines import recipe
        from pipelines.report import push as hub
        from pipelines.report.run_folder import RunFolder

        folder = RunFolder.of(parsed.run)
        private = recipe.load(folder.recipe).hub.private and not parsed.public
        print(f"pushed to {hub.push(folder, parsed.repo_id, private=private)}")
