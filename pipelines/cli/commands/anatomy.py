"""Print encoder, blocks, head and LoRA targets of a checkpoint, from its config alone."""

import argparse

from pipelines.cli.commands import Command
from pipelines.core import registry
from pipelines.core.errors import ModelError


class AnatomyCommand(Command):
    """Print what `anatomy.dissect` finds in a checkpoint."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare `CHECKPOINT [--task TASK]`."""
        parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a Hub id or a folder")
        parser.add_argument(
            "--task", help="the task whose head it gets (default: the first that fits)"
        )

    def run(self, parsed: argparse.Namespace) -> None:
        """Print a table; no weights are loaded.

        Raises:
            ModelError: there is no such checkpoint.
        """
        if not parsed.checkpoint.strip():
            raise ModelError(
                "graft anatomy: the name of the checkpoint is empty; expected a Hub id such as "
                "google-bert/bert-base-uncased, or a folder"
            )
        task = registry.find("tasks", parsed.task)() if parsed.task else None
        from pipelines.models.anatomy import dissect, table
        from pipelines.models.outline import outline
        from pipelines.models.section import Model

        section = Model(checkpoint=parsed.checkpoint)
        model, task = outline(section, task)
        print(f"{parsed.checkpoint}, as its config.json describes it, for {task.name}")
        print("\n".join(table.lines(model, dissect(model))))
