"""Print the JSON Schema of a recipe, for editors."""

import argparse

from pipelines.cli.commands import Command


class SchemaCommand(Command):
    """Print the content of `recipes/schema.json`."""

    def run(self, parsed: argparse.Namespace) -> None:
        """Print the schema as JSON."""
        import json

        from pipelines.recipe import schema

        print(json.dumps(schema.build(), indent=1))
