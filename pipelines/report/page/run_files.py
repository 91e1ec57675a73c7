"""The files of a run that its report is made from."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines import recipe as recipes
from pipelines.recipe import Recipe
from pipelines.report import strict_json
from pipelines.report.page.prediction_table import PredictionTable
from pipelines.report.run_folder import RunFolder

REMEDY = "run the recipe again"
Values = dict[str, Any]


class RunFiles:
    """What stands in the files of a run; empty where an older run has no such file."""

    remedy = REMEDY

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @property
    def main(self) -> Path:
        """The file that a finished run has."""
        return self.folder.metrics

    @cached_property
    def metrics(self) -> Values:
        """The scores, and how they came about.

        Raises:
            RunError: the file is missing or damaged: the run is not finished.
        """
        return strict_json.read(self.folder.metrics, REMEDY)

    @cached_property
    def data(self) -> Values:
        """What was found out about the data."""
        return self._read("data.json")

    @cached_property
    def lock(self) -> Values:
        """What the recipe meant on that day."""
        return self._read("lock.json")

    @cached_property
    def evidence(self) -> Values:
        """Intervals, scores by class and confusion of the split that is reported."""
        return self._evidence_of(self.split)

    @cached_property
    def recipe(self) -> Recipe | None:
        """The resolved recipe."""
        return recipes.load(self.folder.recipe) if self.folder.recipe.is_file() else None

    @cached_property
    def history(self) -> list[Mapping[str, Any]]:
        """What was logged during training; lines that are no JSON objects are left out."""
        if not self.folder.history.is_file():
            return []
        with self.folder.history.open(encoding="utf-8") as file:
            values = [json.loads(line) for line in file if line.strip()]
        return [value for value in values if isinstance(value, dict)]

    @cached_property
    def split(self) -> str:
        """The split that is reported: test, which chose nothing, if there is one."""
        return "test" if self.metrics.get("test") else "validation"

    @cached_property
    def split_name(self) -> str:
        """The reported split as the page names it."""
        return self.name_of(self.split)

    def name_of(self, split: str) -> str:
        """Name a split; folds of train may stand in for validation."""
        folds = self.metrics.get("folds")
        if split == "validation" and folds:
            return f"validation ({folds['count']} folds, out of fold)"
        return split

    @cached_property
    def table(self) -> PredictionTable | None:
        """The predictions of the reported split."""
        path = self.folder.predictions / f"{self.split}.parquet"
        return PredictionTable(path) if path.is_file() else None

    def intervals(self, split: str) -> Values:
        """Return metric -> its interval on a split."""
        return self._evidence_of(split).get("intervals") or {}

    @cached_property
    def address(self) -> str:
        """The run's folder below the one that holds all runs, such as `runs/bert_sst2/1`.

        The folders above it are nobody's business who gets the page.
        """
        return "/".join(self.folder.path.absolute().parts[-3:])

    @cached_property
    def name(self) -> str:
        """The name of the recipe."""
        name = (self.lock.get("recipe") or {}).get("name")
        return name or self.folder.path.absolute().parent.name

    @cached_property
    def _all_evidence(self) -> Values:
        return self._read("evidence.json")

    def _evidence_of(self, split: str) -> Values:
        return self._all_evidence.get(split) or {}

    def _read(self, name: str) -> Values:
        path = self.folder.path / name
        return strict_json.read(path, REMEDY) if path.is_file() else {}
