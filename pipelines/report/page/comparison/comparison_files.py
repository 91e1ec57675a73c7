"""The files of a comparison that its page is made from."""

from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.evaluation.comparison import Comparison
from pipelines.report import comparison_file
from pipelines.report.page import wording
from pipelines.report.page.line_chart import Level
from pipelines.report.run_paths import COMPARISON
from pipelines.report.run_row import document, value


class ComparisonFiles:
    """What stands in the folder of a comparison."""

    remedy = comparison_file.REMEDY

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def main(self) -> Path:
        """The file with every number."""
        return self.folder / COMPARISON

    @cached_property
    def compared(self) -> Comparison:
        """Every number.

        Raises:
            RunError: the file is missing or damaged.
        """
        return comparison_file.read(self.folder)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What was compared: the recipe, and what varies; empty where that is not written down."""
        identity = value(document(self.main), "identity")
        return identity if isinstance(identity, dict) else {}

    @property
    def metric(self) -> str:
        """The name of the main score, as people write it."""
        return wording.metric(self.compared.metric)

    @cached_property
    def address(self) -> str:
        """The folder below the one that holds all runs, such as `runs/compare/bert_sst2/1`."""
        return "/".join(self.folder.absolute().parts[-4:])

    @cached_property
    def name(self) -> str:
        """The name of the recipe."""
        return self.folder.absolute().parent.name

    def share(self, fraction: float) -> str:
        """Name a share of train; empty where there is only one."""
        if self.compared.fractions == (1.0,):
            return ""
        count = self.compared.num_examples(fraction)
        examples = f" ({count:,} examples)" if count else ""
        return f"{100 * fraction:g} % of train{examples}"

    def floors(self, fraction: float) -> list[Level]:
        """Return the baseline and the simple model as lines that differ in how they are broken."""
        scores = self.compared.floors(fraction).items()
        return [Level(name, score, dash=1 + i) for i, (name, score) in enumerate(scores)]
