"""Predictions for rows of several sources -> the main score on those of each."""

from collections.abc import Mapping

import numpy as np

from pipelines.evaluation.fold_scores import FoldScores
from pipelines.report.evidence import SourceScore, SplitPredictions
from pipelines.workflow.prepared import Prepared


def measure(
    prepared: Prepared, predictions: Mapping[str, SplitPredictions]
) -> dict[str, dict[str, SourceScore]]:
    """Score the rows of each source by themselves.

    Returns:
        split -> name of a source -> score; empty where there is one source, or texts are put
        together from several rows.
    """
    scores: dict[str, dict[str, SourceScore]] = {}
    for split, predicted in predictions.items():
        is_train = split == "validation" and prepared.data.is_folded
        rows = prepared.data.splits.get("train" if is_train else split)
        if rows is None or rows.domains is None or len(rows) != len(predicted.predictions):
            continue
        numbers = rows.domains.numbers
        present, counts = np.unique(numbers, return_counts=True)
        answers = predicted.predictions, predicted.targets, predicted.outputs
        scored = FoldScores(prepared.scorer, *answers, numbers).of_each
        names = [rows.domains.names[number] for number in present.tolist()]
        pairs = map(SourceScore, counts.tolist(), scored)
        scores[split] = dict(zip(names, pairs, strict=True))
    return scores
