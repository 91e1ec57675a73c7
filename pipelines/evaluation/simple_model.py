"""A simple model to stand beside the baseline: counts of what is in an example, and a linear model.

It needs seconds and no checkpoint: a fine-tuned model that is no better is not worth its cost. It
is fitted on train alone and scored by the metrics of the run.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION, SINGLE, Labels

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.evaluation.scorer import Scorer
    from pipelines.tasks.simple_features import SimpleFeatures

C = 10.0  # of logistic regression; better than 1 and 100 on SST-2 and Banking77
MAX_STEPS = 50
MAX_LOGITS = 400_000  # rows x classes of train; with more, fewer rows are read
MAX_WEIGHTS = 2_000_000  # features x classes
MAX_FEATURES = 20_000
MIN_ROWS_PER_CLASS = 2
ABSENT = -30.0  # the logarithm of the probability of a class that was not read


@dataclass(frozen=True)
class SimpleSplit:
    """Examples of one split, as they are, as rows of model inputs, and their targets."""

    dataset: "Dataset"
    rows: Any
    targets: Any


@dataclass(frozen=True)
class SimpleScores:
    """How good a simple model is.

    Attributes:
        name: what it reads of an example, such as "bag of words".
        scores: split -> metric -> score.
        seconds: wall-clock time of all of it.
        skipped: why there are no scores; empty where there are.
    """

    name: str
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    skipped: str = ""


def fit_and_score(
    features: "SimpleFeatures",
    splits: Mapping[str, SimpleSplit],
    scorer: "Scorer",
    folds: np.ndarray | None = None,
) -> SimpleScores:
    """Fit on the split "train" and score all others, if that takes seconds.

    Args:
        folds: (rows of train,) the fold of each; "validation" then is train, each fold scored by
            what was fitted on the others.
    """
    from threadpoolctl import threadpool_limits

    started = time.monotonic()
    labels, train = scorer.labels, splits["train"]
    others = {name: split for name, split in splits.items() if name != "train"}
    reason = _obstacle(features, splits, labels)
    if reason:
        return SimpleScores(features.name, skipped=reason)
    max_rows = min(features.max_train_rows, MAX_LOGITS // labels.num_labels)
    # several threads wait for each other longer than they compute on matrices of this size
    with threadpool_limits(1):
        predicted: dict[str, tuple[np.ndarray, Any]] = {}
        if folds is not None:
            logits = _out_of_fold(features, train, folds, labels)
            predicted["validation"] = logits, train.targets
        predict = _predictor(features, train, _sample(train.targets, labels, max_rows), labels)
        for name, split in others.items():
            predicted[name] = predict(split, range(len(split.targets))), split.targets
    scores = {
        name: scorer(labels.predict(logits), targets, {"logits": logits})
        for name, (logits, targets) in predicted.items()
    }
    return SimpleScores(features.name, scores, time.monotonic() - started)


def _predictor(
    features: "SimpleFeatures", train: SimpleSplit, chosen: Sequence[int], labels: Labels
) -> Callable[[SimpleSplit, Sequence[int]], np.ndarray]:
    """Fit on some rows of train; `predict(split, rows)` gives (rows, num_labels) logits."""
    transformer = features.transformer(min(MAX_FEATURES, MAX_WEIGHTS // labels.num_labels))
    inputs = transformer.fit_transform(features.read(train.dataset, train.rows, chosen))
    model = _fit(inputs, np.asarray(train.targets)[chosen], labels)

    def predict(split: SimpleSplit, rows: Sequence[int]) -> np.ndarray:
        """Compute logits of some rows of a split."""
        read = features.read(split.dataset, split.rows, rows)
        return _logits(model, transformer.transform(read), labels)

    return predict


def _out_of_fold(
    features: "SimpleFeatures", train: SimpleSplit, folds: np.ndarray, labels: Labels
) -> np.ndarray:
    """Compute (rows, num_labels) logits of train, of each fold by a fit on the others."""
    logits = np.zeros((len(folds), labels.num_labels))
    for fold in np.unique(folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        predict = _predictor(features, train, rest.tolist(), labels)
        logits[held] = predict(train, held.tolist())
    return logits


def _obstacle(
    features: "SimpleFeatures", splits: Mapping[str, SimpleSplit], labels: Labels
) -> str | None:
    """Return why it would take longer, or cannot be fitted."""
    num_scored = sum(len(split.targets) for name, split in splits.items() if name != "train")
    if num_scored > features.max_scored_rows:
        return f"{num_scored:,} rows to score, and it takes at most {features.max_scored_rows:,}"
    max_classes = int((MAX_LOGITS / MIN_ROWS_PER_CLASS) ** 0.5)
    if labels.num_labels > max_classes:
        return f"{labels.num_labels:,} classes, and it takes at most {max_classes:,}"
    if labels.problem_type == SINGLE and len(np.unique(splits["train"].targets)) == 1:
        return "train has a single class"
    return next(filter(None, (features.obstacle(split.rows) for split in splits.values())), None)


def _sample(targets: Any, labels: Labels, max_rows: int) -> list[int]:
    """Choose rows in their order: of each class the same share, and at least one."""
    num_rows = len(targets)
    if num_rows <= max_rows:
        return [*range(num_rows)]
    order = np.random.default_rng(0).permutation(num_rows)
    if labels.problem_type == SINGLE:
        order = _by_share(np.asarray(targets), order)
    return sorted(order[:max_rows].tolist())


def _by_share(classes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Sort rows by the share of their class that comes before them in `order`."""
    counts = np.bincount(classes)
    grouped = order[np.argsort(classes[order], kind="stable")]
    starts = np.cumsum(counts) - counts
    places = np.arange(len(order)) - starts[classes[grouped]]
    return grouped[np.argsort(places / counts[classes[grouped]], kind="stable")]


def _fit(inputs: Any, targets: np.ndarray, labels: Labels) -> Any:
    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier

    model: Any = LogisticRegression(C=C, max_iter=MAX_STEPS)
    if labels.problem_type == REGRESSION:
        model = Ridge()
    elif labels.problem_type == SINGLE and len(np.unique(targets)) == 1:
        model = DummyClassifier()  # all that some folds of very few rows allow
    elif labels.problem_type == MULTI:
        # a solver for two classes: several times as fast
        model = OneVsRestClassifier(LogisticRegression(C=C, max_iter=MAX_STEPS, solver="liblinear"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # one of several labels that all rows have, or none
        warnings.filterwarnings("ignore", "Label .* is present in all training examples")
        return model.fit(inputs, targets)


def _logits(model: Any, inputs: Any, labels: Labels) -> np.ndarray:
    """Compute (rows, num_labels) float64: logarithms of probabilities, log odds, or numbers."""
    if labels.problem_type == REGRESSION:
        return model.predict(inputs).reshape(-1, 1)
    if labels.problem_type == MULTI:
        return model.decision_function(inputs).reshape(-1, labels.num_labels)
    logits = np.full((inputs.shape[0], labels.num_labels), ABSENT)
    logits[:, model.classes_] = model.predict_log_proba(inputs).clip(ABSENT)
    return logits
