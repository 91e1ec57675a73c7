"""The target column -> ids, names and problem type; logits -> predictions.

Everything downstream (head size, `id2label`, loss, metrics, predictions) follows from here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.core.errors import DataError, suggest

SINGLE, MULTI, REGRESSION = (
    "single_label_classification",
    "multi_label_classification",
    "regression",
)
PROBLEM_TYPES = (SINGLE, MULTI, REGRESSION)  # those that transformers knows
TOKENS = "token_classification"  # a class for each word of an example
CHOICE = "multiple_choice"
CLOSED = (*PROBLEM_TYPES, TOKENS, CHOICE)  # targets are classes or numbers, not free text
LANGUAGE = "language_modeling"  # no classes: the text itself is the target
IGNORED = -100  # what transformers' losses leave out: the label of a token that has none
NO_TAG = (IGNORED, str(IGNORED))  # of a word; files of text spell it, too
THRESHOLDS = "label_thresholds"  # key of a model's config: label -> its threshold
HALF = 0.5  # the probability above which a label is given, where no other was chosen
MAX_POSITIVE_WEIGHT = 100.0  # of an example with a label, beside one without it


@dataclass(frozen=True)
class Labels:
    """What there is to predict.

    `names` are the classes in the order of the logits (empty where there are none, as in a
    regression); `values` are the same classes as the column spells them. With `are_indicators`
    a row of the column is 0 or 1 for each class. `reason` says what the kind was inferred from;
    it is empty where the data or the recipe declare it. `thresholds` are the probabilities above
    which each of several labels is given; empty: 0.5.
    """

    problem_type: str
    names: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    are_indicators: bool = False
    reason: str = field(default="", compare=False)
    thresholds: tuple[float, ...] = field(default=(), compare=False)

    @property
    def num_labels(self) -> int:
        """Size of the head's output; 1 for regression."""
        return max(len(self.names), 1)

    @property
    def config(self) -> dict[str, Any]:
        """The fields of a transformers config that follow from the labels."""
        if self.problem_type == REGRESSION:
            return {"num_labels": 1}
        if not self.names:
            return {}
        return {
            "num_labels": self.num_labels,
            "id2label": dict(enumerate(self.names)),
            "label2id": {name: i for i, name in enumerate(self.names)},
        }

    def encode(self, column: Iterable[Any], split: str) -> list[Any]:
        """Turn column values into class ids, lists of them (tokens), 0/1 vectors or floats.

        Raises:
            DataError: a value is missing, not a number, or a class that train does not have;
                names the split, the row and the value.
        """
        ids = {value: i for i, value in enumerate(self.values)}
        return [self._encode_one(value, ids, f"{split}, row {i}") for i, value in enumerate(column)]

    def _encode_one(self, value: Any, ids: dict[Any, int], where: str) -> Any:
        if value is None:
            raise DataError(f"{where}: no label; drop the row or give it one")
        if self.problem_type == TOKENS:
            return [
                IGNORED if tag in NO_TAG else self._id(tag, ids, f"{where}, word {i}")
                for i, tag in enumerate(value)
            ]
        if self.problem_type == REGRESSION:
            try:
                return float(value)
            except (TypeError, ValueError):
                raise DataError(f"{where}: {value!r} is not a number to regress on") from None
        if self.problem_type != MULTI:
            return self._id(value, ids, where)
        if self.are_indicators:
            return self._indicators(value, where)
        chosen = [self._id(v, ids, where) for v in value if v != IGNORED]
        return [float(i in chosen) for i in range(len(self.names))]

    def _indicators(self, row: Any, where: str) -> list[float]:
        if len(row) != len(self.names) or not set(row) <= {0, 1}:
            raise DataError(
                f"{where}: labels {row!r}; expected {len(self.names)} times 0 or 1, as in train"
            )
        return [float(value) for value in row]

    def _id(self, value: Any, ids: dict[Any, int], where: str) -> int:
        if value not in ids:
            known = suggest(value, map(str, self.values[:50]))
            raise DataError(f"{where}: label {value!r} does not occur in train; {known}")
        return ids[value]

    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Turn (rows, num_labels) logits into class ids, 0/1 rows (above threshold) or numbers."""
        if self.problem_type == REGRESSION:
            return logits.reshape(len(logits)).astype(float)
        if self.problem_type == MULTI:
            thresholds = np.asarray(self.thresholds or [HALF])
            # as logits: that of a probability of 0.5 is 0
            return (logits > np.log(thresholds / (1 - thresholds))).astype(int)
        return np.asarray(logits.argmax(axis=-1))

    def example(self) -> np.ndarray:
        """Make predictions in which every class occurs, in the form that `predict` returns."""
        if self.problem_type == REGRESSION:
            return np.arange(3) + 0.5
        if self.problem_type == MULTI:
            return np.eye(3, self.num_labels, dtype=int)
        return np.arange(2 * self.num_labels) % self.num_labels

    def class_weights(self, train: Any) -> np.ndarray:
        """Return (num_labels,) inverse class shares of train, 1 on average over its examples.

        A class that does not occur has weight 0.
        """
        counts = np.bincount(train, minlength=self.num_labels)
        num_present = np.count_nonzero(counts)
        # N / (K n_c) for class c: over the examples of K classes that is N in sum, 1 on average
        return np.where(counts > 0, counts.sum() / (num_present * np.maximum(counts, 1)), 0.0)

    def positive_weights(self, train: Any) -> np.ndarray:
        """Return (num_labels,) weights of having a label: examples without it by those with it.

        Bounded, so that a label of few examples does not drown the others; 1 for one of none.
        """
        targets = np.asarray(train)
        with_label = targets.sum(axis=0)
        ratios = (len(targets) - with_label) / np.maximum(with_label, 1)
        bounded = np.clip(ratios, 1 / MAX_POSITIVE_WEIGHT, MAX_POSITIVE_WEIGHT)
        return np.where(with_label > 0, bounded, 1.0)

    def row_groups(self, train: Any) -> list[np.ndarray]:
        """Return the rows of each class that train has; of several labels, also those of none.

        A row with several labels is in the group of each.
        """
        targets = np.asarray(train)
        if self.problem_type == MULTI:
            groups = [np.flatnonzero(has_label) for has_label in targets.T]
            groups.append(np.flatnonzero(~targets.any(axis=1)))
        else:
            order = np.argsort(targets, kind="stable")
            ends = np.cumsum(np.bincount(targets, minlength=self.num_labels))
            groups = np.split(order, ends[:-1])
        return [rows for rows in groups if len(rows)]

    @property
    def unlabeled(self) -> "Unlabeled":
        """The same classes, for rows whose labels are not known."""
        return Unlabeled(self.problem_type, self.names, self.values, self.are_indicators)

    def baseline(self, train: Any, rows: int) -> np.ndarray:
        """Predict for `rows` examples without their input: the mean, or the most frequent label."""
        targets = np.asarray(train)
        if self.problem_type == REGRESSION:
            return np.full(rows, targets.mean())
        if self.problem_type == MULTI:
            return np.tile((targets.mean(axis=0) > 0.5).astype(int), (rows, 1))
        return np.full(rows, np.bincount(targets).argmax())


@dataclass(frozen=True)
class Unlabeled(Labels):
    """Classes of rows whose labels are not known.

    An encoded row gets what no loss can learn from: -100, which cross-entropy leaves out, or NaN.
    Words get the first class, since a label marks where a word begins.
    """

    def encode(self, column: Iterable[Any], split: str) -> list[Any]:
        """Return as many absent labels as the column has values, whatever these are."""
        if self.problem_type == TOKENS:
            return [[0] * len(words) for words in column]
        absent: Any = IGNORED
        if self.problem_type == REGRESSION:
            absent = float("nan")
        elif self.problem_type == MULTI:
            absent = [float("nan")] * self.num_labels
        return [absent for _ in column]
