"""Prepared data -> the scores of a simple model, which needs no checkpoint."""

from typing import TYPE_CHECKING

from pipelines.evaluation.simple_model import SimpleScores, SimpleSplit, fit_and_score

if TYPE_CHECKING:
    from pipelines.workflow.prepared import Prepared


def measure(prepared: "Prepared") -> SimpleScores | None:
    """Fit on train and score the other splits as the run's own model is scored.

    Returns:
        None where the recipe asks for none, or the task has none.
    """
    features = prepared.recipe.task.simple_features() if prepared.recipe.simple_model else None
    if features is None:
        return None
    if prepared.stream is not None:
        return SimpleScores(features.name, skipped="train is streamed")
    splits = {
        split: SimpleSplit(dataset, prepared.encoded[split], prepared.targets[split])
        for split, dataset in prepared.data.datasets.items()
    }
    return fit_and_score(features, splits, prepared.scorer, prepared.folds)
