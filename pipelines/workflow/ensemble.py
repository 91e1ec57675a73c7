"""Finished runs on the same rows -> the mean of their probabilities, weighed by validation.

1. _runs               paths                   -> Runs on the same data, with a model each
2. prepare             Recipe of the first     -> the raw rows of validation and test
3. reload              model/ of each          -> its probabilities, by its own processor
4. mixture.weights     those on validation     -> how much each counts
5. Scorer              each and all together   -> an Ensemble, which `report` writes
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines import data
from pipelines.core.console import say
from pipelines.core.errors import RunError
from pipelines.core.labels import SINGLE
from pipelines.data.duplicates import RowHashes
from pipelines.evaluation import mixture
from pipelines.evaluation.scorer import predict as decode
from pipelines.evaluation.scores import probabilities
from pipelines.models.output.reload import library_of, opening, reload
from pipelines.recipe.combinations import folds
from pipelines.report.ensemble import Ensemble, Member, Scores
from pipelines.training import arguments as training_arguments
from pipelines.workflow.finished_run import Run
from pipelines.workflow.prepare import prepare

if TYPE_CHECKING:
    from pipelines.data import Data
    from pipelines.workflow.prepared import Prepared

MIN_WEIGHT = 0.01  # of a model that is worth its time: with less, it hardly moves the mean
MIN_PROBABILITY = 1e-12  # whose logarithm stands for that of 0


def build(paths: Sequence[str | Path]) -> Ensemble:
    """Average the probabilities of the models of finished runs, with weights from validation.

    Where folds of train stood in for validation, every model knows its rows: weights are equal.
    Test chooses nothing, and is scored for each model, for equal weights and for the chosen ones.

    Raises:
        RunError: fewer than two runs, one that is not finished, or runs that differ in their data
            or do not give an example one class.
        GraftError: data or a model cannot be loaded.
    """
    runs = _runs(paths)
    prepared = prepare(runs[0].recipe)
    _check_rows(runs, prepared)
    labels = prepared.data.labels
    if labels.problem_type != SINGLE:
        raise RunError(
            f"{runs[0].folder}: {labels.problem_type}: what is averaged are probabilities of "
            f"classes; expected runs with one class for each example ({SINGLE})"
        )
    answers = [_probabilities(run, prepared) for run in runs]
    together = _stacked(answers)
    equal = np.full(len(runs), 1 / len(runs))
    chosen = equal if prepared.data.is_folded else _weights(together, prepared)
    scores = [_scores(prepared, together, weights) for weights in (*np.eye(len(runs)), equal)]
    return Ensemble(
        members=tuple(map(_member, runs, chosen, scores[:-1])),
        labels=labels,
        task=prepared.recipe.task,
        main_metric=prepared.scorer.main,
        greater_is_better=prepared.scorer.greater_is_better,
        equal=scores[-1],
        chosen=_scores(prepared, together, chosen),
        is_folded=prepared.data.is_folded,
    )


def _member(run: Run, weight: float, scores: Scores) -> Member:
    folder, name = run.folder.model, f"{run.path.parent.name}/{run.path.name}"
    return Member(folder, name, library_of(folder), float(weight), scores)


def _runs(paths: Sequence[str | Path]) -> list[Run]:
    """Open the runs.

    Raises:
        RunError: they cannot be averaged; names the run and what differs.
    """
    runs = [Run.open(path) for path in paths]
    folders = [run.path for run in runs]
    repeated = next((folder for folder in folders if folders.count(folder) > 1), None)
    if len(runs) < 2 or repeated:
        what = f"{repeated} stands there twice" if repeated else "only one run is named"
        raise RunError(f"{what}; expected two or more runs, such as runs/a/1 runs/b/1")
    first, *others = runs
    for run in runs:
        run.check_single_pass()
        if library_of(run.folder.model) == "peft":
            raise RunError(
                f"{run.folder}: saved as an adapter, without the model below it; train with "
                "strategy.save=merged"
            )
    task = first.recipe.task.name
    for run in others:
        if run.recipe.task.name != task:
            raise RunError(f"{run.folder}: task {run.recipe.task.name}, and {first.folder}: {task}")
    return runs


def _check_rows(runs: Sequence[Run], prepared: "Prepared") -> None:
    """Refuse a run whose validation or test has other rows, or the same ones in another order.

    Raises:
        RunError: names the run and the split.
    """
    first = runs[0]
    for run in runs[1:]:
        recipe = run.recipe
        if (recipe.data, recipe.seed) == (first.recipe.data, first.recipe.seed):
            continue
        max_fold_rows = folds.max_rows(recipe)
        loaded = data.load(recipe.data, recipe.task, recipe.seed, max_fold_rows=max_fold_rows)
        for split in ("train" if prepared.data.is_folded else "validation", "test"):
            expected = _hashes(prepared.data, split, run)
            if not np.array_equal(_hashes(loaded, split, run), expected):
                raise RunError(
                    f"{run.folder}: its {split} split has other rows than that of {first.folder}; "
                    "expected recipes with the same data, and with the same training.seed where "
                    "rows are set aside or drawn"
                )


def _hashes(loaded: "Data", split: str, run: Run) -> np.ndarray:
    """Hash each row of a split, with its label; nothing where there is no such split."""
    if split not in loaded.splits:
        return np.zeros(0, np.uint64)
    return RowHashes.of(loaded.splits[split], run.recipe.task.target).labeled


def _probabilities(run: Run, prepared: "Prepared") -> dict[str, np.ndarray]:
    """Let the saved model predict validation and test: split -> (rows, classes)."""
    task, labels = run.recipe.task, prepared.data.labels
    options = training_arguments.forward_options(prepared.arguments())
    trusts_code, folder = run.recipe.model.trust_remote_code, run.folder.model
    library = library_of(folder)
    with opening(folder):
        predict = reload(folder, library, task, labels, trusts_code=trusts_code, **options)
    predicted = {}
    for split in ("validation", "test"):
        rows = getattr(prepared.data, split)
        if rows is not None:
            say(f"{run.folder}: predicting {split}")
            predicted[split] = probabilities(predict(rows)["logits"], SINGLE)
    return predicted


def _stacked(answers: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Put the probabilities of all models together: split -> (models, rows, classes)."""
    together = {}
    for split in answers[0]:
        together[split] = np.stack([answer[split] for answer in answers])
    return together


def _weights(together: dict[str, np.ndarray], prepared: "Prepared") -> np.ndarray:
    """Choose how much each model counts; models that hardly count are left out."""
    answers, targets = together["validation"], np.asarray(prepared.targets["validation"])
    weights = mixture.weights(answers[:, np.arange(len(targets)), targets])
    weights = np.where(weights < MIN_WEIGHT, 0, weights)
    return np.asarray(weights / weights.sum())


def _scores(prepared: "Prepared", together: dict[str, np.ndarray], weights: np.ndarray) -> Scores:
    """Score the weighted mean of probabilities: split -> scores."""
    scores = {}
    for split, answers in together.items():
        mean = np.tensordot(weights, answers, axes=1)
        outputs = {"logits": np.log(np.maximum(mean, MIN_PROBABILITY))}
        rows, processor = prepared.encoded[split], prepared.checkpoint.processor
        labels = replace(prepared.data.labels, thresholds=())
        predictions = decode(prepared.recipe.task, outputs, rows, processor, labels)
        scores[split] = prepared.scorer(predictions, prepared.targets[split], outputs)
    return scores
