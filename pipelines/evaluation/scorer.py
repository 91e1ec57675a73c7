"""Predictions -> scores, by the metrics that a recipe names or by those usual for the labels."""

from collections import Counter
from collections.abc import Iterable
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
    give NaN, which JSON cannot express: write null.

    Args:
        entries: the recipe's `metrics:`; if empty, the task's own are used.

    Raises:
        RecipeError: a metric or an option that does not exist, or the same entry twice.
        HubError: a metric of the Hub that cannot be fetched.
    """

    def __init__(
        self, entries: tuple[str | dict[str, Any], ...], task: "Task", labels: Labels
    ) -> None:
        self.task, self.labels = task, labels
        self.metrics = [Metric(entry, labels) for entry in entries or task.metrics(labels)]
        # their scores would have the same key
        for (name, _), count in Counter((m.name, m.tag) for m in self.metrics).items():
            if count > 1:
                raise RecipeError(
                    f"metric '{name}' is listed {count} times with the same options; remove all "
                    "but one, or give each its own options"
                )

    def __call__(self, predictions: "Predictions", references: "Targets") -> dict[str, float]:
        """Score predictions by all metrics, in the recipe's order.

        Where several entries give the same key, their options are added to it: `f1_macro`,
        `f1_micro`.

        Args:
            predictions: one for each example, in the form of `Task.predict`.
            references: one for each example, in the form of `Task.targets`.

        Raises:
            RecipeError: a metric does not fit what is predicted.
        """
        assert len(predictions) == len(references)
        return _merge([(m, m.compute(predictions, references)) for m in self.metrics])

    def main_score(self, predictions: "Predictions", references: "Targets") -> float:
        """Compute the main score alone, as when many trials are compared."""
        return next(iter(self.metrics[0].compute(predictions, references).values()))

    @cached_property
    def main(self) -> str:
        """The first metric's first key: the score by which validation chooses.

        Read from the scores of an example with every class in it, so that metrics and options
        which would fail after training fail before it.
        """
        # what the task would have chosen itself fits its labels: no need to import it yet
        first, usual = self.metrics[0].declaration.key, self.task.metrics(self.labels)
        if first and all(m.name in usual and not m.options for m in self.metrics):
            return first
        return next(iter(self(*self.task.example(self.labels))))

    @property
    def greater_is_better(self) -> bool:
        """Whether a greater main score is better."""
        return self.metrics[0].greater_is_better

    def lower_is_better(self, keys: Iterable[str]) -> frozenset[str]:
        """Select the keys of scores that are errors, such as mse."""
        errors = tuple(
            metric.declaration.key or metric.name
            for metric in self.metrics
            if not metric.greater_is_better
        )
        # options are added to a key: `mse`, or `mse_False`
        with_options = tuple(f"{error}_" for error in errors)
        return frozenset(key for key in keys if key in errors or key.startswith(with_options))


def predict(
    task: "Task", outputs: "ModelOutputs", rows: Any, processor: Any, labels: Labels
) -> "Predictions":
    """Turn the outputs for encoded `rows` into one prediction for each example.

    Args:
        outputs: name -> one entry for each of `rows`.

    Raises:
        DivergedError: an output is not finite.
    """
    # argmax over NaN is class 0: a diverged model would pass for a bad one
    for column in outputs.values():
        lost = sum(int((~np.isfinite(entry)).any()) for entry in column)
        if lost:
            raise DivergedError(
                f"the model's outputs for {lost:,} of {len(column):,} rows are not finite: "
                "training diverged; lower training.learning_rate, or train in float32"
            )
    return task.predict(outputs, rows, processor, labels)


def _merge(results: list[tuple[Metric, dict[str, float]]]) -> dict[str, float]:
    """Merge the scores of all metrics into one dictionary."""
    shared = Counter(key for _, scores in results for key in scores)
    merged: dict[str, float] = {}
    for metric, scores in results:
        for key, score in scores.items():
            # a key that only one metric gives stays as it is: `f1`, not `f1_macro`
            name = f"{key}_{metric.tag}" if shared[key] > 1 and metric.tag else key
            if name in merged:
                raise RecipeError(
                    f"metric '{metric.name}': another one gives the score '{name}' already; "
                    "remove one of them from `metrics:`"
                )
            merged[name] = score
    return merged
