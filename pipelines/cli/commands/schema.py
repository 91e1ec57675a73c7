"""The JSON Schema of a recipe, for editors."""

import argparse

from pipelines.cli.commands import Command


class Schema(Command):
    """What `recipes/schema.json` holds."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Print it."""
        import json

        from pipelines.recipe import schema

        print(json.dumps(schema.build(), indent=1))
