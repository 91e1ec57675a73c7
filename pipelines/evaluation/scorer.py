"""Predictions -> scores, by the metrics that a recipe names or by those usual for the labels."""

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.errors import DivergedError, RecipeError
from pipelines.core.labels import Labels
from pipelines.evaluation.metric import Metric

if TYPE_CHECKING:
    from pipelines.tasks import ModelOutputs, Predictions, Targets, Task


class Scorer:
    """All the metrics of a recipe: `scorer(predictions, references)` -> {key: score}.

    Scores are plain floats. The metrics of this project give finite ones; one from the Hub may
    give nan, for which JSON has no word: write null.

    Raises:
        RecipeError: a metric or an option that does not exist, or the same entry twice.
        HubError: a metric of the Hub that cannot be fetched.
    """

    def __init__(
        self, specs: tuple[str | dict[str, Any], ...], task: "Task", labels: Labels
    ) -> None:
        self.task, self.labels = task, labels
        self.metrics = [Metric(spec, labels) for spec in specs or task.metrics(labels)]
        for (name, _), count in Counter((m.name, m.tag) for m in self.metrics).items():
            if count > 1:
                raise RecipeError(f"metric '{name}' stands {count} times with the same options")

    def __call__(self, predictions: "Predictions", references: "Targets") -> dict[str, float]:
        """The scores of predictions as the task makes them, in the recipe's order.

        Where several entries give the same key, their options tell them apart: `f1_macro`,
        `f1_micro`.

        Raises:
            RecipeError: a metric does not fit what is predicted.
        """
        assert len(predictions) == len(references)
        return _merge([(m, m.compute(predictions, references)) for m in self.metrics])

    def choose_by(self, predictions: "Predictions", references: "Targets") -> float:
        """The main score alone: what many trials are told apart by."""
        return next(iter(self.metrics[0].compute(predictions, references).values()))

    @cached_property
    def main(self) -> str:
        """The first metric's first key: the score by which validation chooses.

        Found by scoring an example with every class in it, so it also refuses, before training,
        what would fail after it. Metrics that the task would have chosen itself need no such trial,
        and nothing of what they import before the first evaluation.
        """
        first, usual = self.metrics[0].declared.key, self.task.metrics(self.labels)
        if first and all(m.name in usual and not m.options for m in self.metrics):
            return first
        return next(iter(self(*self.task.example(self.labels))))

    @property
    def greater_is_better(self) -> bool:
        """Whether more is better in the main score."""
        return self.metrics[0].greater_is_better


def predict(
    task: "Task", kept: "ModelOutputs", rows: Any, processor: Any, labels: Labels
) -> "Predictions":
    """What was kept of a pass over encoded `rows` -> one prediction for each example.

    Raises:
        DivergedError: some of it is not finite.
    """
    for column in kept.values():
        lost = sum(int((~np.isfinite(entry)).any()) for entry in column)
        if lost:
            raise DivergedError(
                f"the model's outputs for {lost:,} of {len(column):,} rows are not finite: "
                "training diverged; lower training.learning_rate, or train in float32"
            )
    return task.predict(kept, rows, processor, labels)


def _merge(results: list[tuple[Metric, dict[str, float]]]) -> dict[str, float]:
    """All scores in one dictionary."""
    shared = Counter(key for _, scores in results for key in scores)
    merged: dict[str, float] = {}
    for metric, scores in results:
        for key, score in scores.items():
            name = f"{key}_{metric.tag}" if shared[key] > 1 and metric.tag else key
            if name in merged:
                raise RecipeError(f"metric '{metric.name}': another one gives '{name}' already")
            merged[name] = score
    return merged
