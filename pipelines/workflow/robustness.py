"""A trained model -> its main score where inputs are worse.

raw rows  -> contents                  -> corrupted contents -> raw rows
raw rows  -> the same passes as of the split itself          -> score
"""

from typing import TYPE_CHECKING

import numpy as np

from pipelines.core import cache
from pipelines.core.console import say
from pipelines.core.labels import SINGLE
from pipelines.evaluation import corruptions
from pipelines.evaluation.corruptions import SEVERITIES
from pipelines.evaluation.robustness import Robustness, draw_rows
from pipelines.evaluation.scorer import predict as decode
from pipelines.evaluation.slices import Slice, by_length
from pipelines.report.evidence import SplitPredictions
from pipelines.training import arguments as training_arguments
from pipelines.workflow.predicting import labels_of
from pipelines.workflow.prepared import Prepared

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.training.fitted import Fitted


def measure(
    prepared: Prepared, fitted: "Fitted", split: str, predicted: SplitPredictions
) -> Robustness:
    """Score a split, drawn to at most 1,000 rows, under each corruption.

    Args:
        predicted: what the model predicts for the rows of that split as they are.
    """
    seed = prepared.recipe.seed
    dataset = prepared.data.datasets[split]
    rows = draw_rows(len(dataset), seed)
    kinds = corruptions.of_modality(prepared.recipe.task.modality).kinds
    say(
        f"robustness: {len(rows):,} of {len(dataset):,} rows of {split}, seed {seed}, under "
        f"{len(kinds)} corruptions of {len(SEVERITIES)} severities"
    )
    # each is used once, and all of them together are dozens of times as large as the split
    with cache.paused():
        scores = _scores(prepared, fitted, dataset, rows)
    targets = np.asarray(predicted.targets)[rows]
    outputs = {name: np.asarray(values)[rows] for name, values in predicted.outputs.items()}
    clean = prepared.scorer.main_score(np.asarray(predicted.predictions)[rows], targets, outputs)
    return Robustness(
        metric=prepared.scorer.main,
        split=split,
        num_rows=len(rows),
        split_rows=len(dataset),
        seed=seed,
        clean=clean,
        kinds=scores,
        slices=_slices(prepared, split, predicted),
    )


def _slices(prepared: Prepared, split: str, predicted: SplitPredictions) -> tuple[Slice, ...]:
    """Compute the accuracy of texts by their length, where each has one class."""
    task, problem_type = prepared.recipe.task, prepared.data.labels.problem_type
    if task.modality != "text" or problem_type != SINGLE:
        return ()
    lengths = np.asarray(prepared.encoded[split].lengths)
    return by_length(lengths, predicted.predictions, predicted.targets)


def _scores(
    prepared: Prepared, fitted: "Fitted", dataset: "Dataset", rows: np.ndarray
) -> dict[str, tuple[float, ...]]:
    """Compute the main score of these rows at each severity of each corruption."""
    kinds, seed = corruptions.of_modality(prepared.recipe.task.modality), prepared.recipe.seed
    contents = kinds.read(dataset, rows.tolist(), prepared.checkpoint.processor)
    drawn = dataset.select(rows)
    scores = {}
    for kind in kinds.kinds:
        changed = (kinds.corrupt(contents, kind, severity, seed) for severity in SEVERITIES)
        scores[kind] = tuple(_score(prepared, fitted, kinds.write(drawn, each)) for each in changed)
    return scores


def _score(prepared: Prepared, fitted: "Fitted", dataset: "Dataset") -> float:
    """Compute the main score of raw rows."""
    task, processor = prepared.recipe.task, prepared.checkpoint.processor
    labels = labels_of(prepared, fitted)
    rows = task.encode(dataset, processor, labels)
    options = training_arguments.forward_options(prepared.arguments())
    outputs = fitted.output.run(rows, prepared.collate, task.collect, **options)
    predictions = decode(task, outputs, rows, processor, labels)
    targets = task.targets(dataset, rows, labels)
    return prepared.scorer.main_score(predictions, targets, outputs)
