"""Predictions -> scores, by the metrics that a recipe names or by those usual for the labels."""

from collections import Counter
from functools import cached_property
from typing import Any

import numpy as np

from pipelines.errors import ModelError, RecipeError
from pipelines.labels import MULTI, REGRESSION, SINGLE, Labels
from pipelines.metric import Metric

DEFAULTS = {
    SINGLE: ("accuracy", "f1"),
    MULTI: ("f1", "accuracy"),
    REGRESSION: ("pearson", "spearman", "mse"),
}


class Scorer:
    """All the metrics of a recipe: `scorer(predictions, references)` -> {key: score}.

    Scores are plain floats. The metrics of this project give finite ones; one from the Hub may
    give nan, for which JSON has no word: write null.

    Raises:
        RecipeError: a metric or an option that does not exist, or the same entry twice.
        HubError: a metric of the Hub that cannot be fetched.
    """

    def __init__(self, specs: tuple[str | dict[str, Any], ...], labels: Labels) -> None:
        self.labels = labels
        self.metrics = [Metric(spec, labels) for spec in specs or DEFAULTS[labels.problem_type]]
        for (name, _), count in Counter((m.name, m.tag) for m in self.metrics).items():
            if count > 1:
                raise RecipeError(f"metric '{name}' stands {count} times with the same options")

    def __call__(self, predictions: Any, references: Any) -> dict[str, float]:
        """The scores of class ids, 0/1 rows or numbers, in the recipe's order.

        Where several entries give the same key, their options tell them apart: `f1_macro`,
        `f1_micro`.

        Raises:
            ModelError: some predictions are not finite.
            RecipeError: a metric does not fit what is predicted.
        """
        assert len(predictions) == len(references)
        _refuse_nan(np.asarray(predictions))
        dtype = float if self.labels.problem_type == REGRESSION else int
        sides = np.asarray(predictions, dtype), np.asarray(references, dtype)
        return _merge([(metric, metric.compute(*sides)) for metric in self.metrics])

    @cached_property
    def main(self) -> str:
        """The first metric's first key: the score by which validation chooses.

        Found by scoring an example with every class in it, so it also refuses, before training,
        what would fail after it.
        """
        example = _example(self.labels)
        return next(iter(self(example, example)))

    @property
    def greater_is_better(self) -> bool:
        """Whether more is better in the main score."""
        return self.metrics[0].greater_is_better


def floor(labels: Labels, train_targets: Any, references: Any, scorer: Scorer) -> dict[str, float]:
    """The scores of always answering with train's mean or most frequent label(s)."""
    return scorer(labels.floor(train_targets, len(references)), references)


def _example(labels: Labels) -> np.ndarray:
    """Predictions as `labels` make them."""
    if labels.problem_type == REGRESSION:
        return np.arange(3) + 0.5
    if labels.problem_type == MULTI:
        return np.eye(3, labels.num_labels)
    return np.arange(2 * labels.num_labels) % labels.num_labels


def _refuse_nan(predictions: np.ndarray) -> None:
    lost = int((~np.isfinite(predictions)).sum())
    if lost:
        raise ModelError(
            f"{lost} of {predictions.size} predictions are not finite: training diverged; "
            "lower training.learning_rate, or train in float32"
        )


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
