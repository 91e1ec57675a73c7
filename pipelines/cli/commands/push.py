"""Push a finished run to the Hub, and a Space that shows it."""

import argparse

from pipelines.cli.commands import Command
from pipelines.core.errors import HubError


class PushCommand(Command):
    """Upload the model of a run folder, its processor and its card; an app beside it."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `RUN [REPO] [--space OWNER/NAME] [--public]`."""
        parser.add_argument("run", metavar="RUN", help="a run folder, such as runs/bert_sst2/1")
        parser.add_argument(
            "repo_id",
            metavar="REPO",
            nargs="?",
            help="owner/name (with --space: that of the Space)",
        )
        parser.add_argument(
            "--space", metavar="OWNER/NAME", help="push a Space, too: a page that shows the model"
        )
        parser.add_argument(
            "--public",
            action="store_true",
            help="make new repositories public; they are private otherwise",
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Upload, and print the addresses.

        Raises:
            GraftError: there is nothing to push, or the Hub refuses it.
        """
        repo_id = parsed.repo_id or parsed.space
        if not repo_id:
            raise HubError(f"graft push {parsed.run}: name the repository, such as me/reviews")
        from pipelines import recipe
        from pipelines.report import push as hub
        from pipelines.report.run_folder import RunFolder
        from pipelines.report.space import files

        folder = RunFolder.of(parsed.run)
        private = recipe.load(folder.recipe).hub.private and not parsed.public
        app = {}
        if parsed.space:  # refused before anything is uploaded
            hub.check_name(parsed.space)
            app = files.write(folder, repo_id, private=private)
        print(f"pushed to {hub.push(folder, repo_id, private=private)}")
        if parsed.space:
            url = hub.push_space(folder, parsed.space, repo_id, app, private=private)
            print(f"its Space: {url}")
            if private:
                print("it loads a private model: set the secret HF_TOKEN in the Space's settings")
