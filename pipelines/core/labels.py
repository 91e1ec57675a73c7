"""The target column -> ids, names and problem type; logits -> predictions.

Everything downstream (head size, `id2label`, loss, metrics, predictions) follows from here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.errors import DataError, RecipeError, suggest

if TYPE_CHECKING:
    from datasets import Dataset

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


@dataclass(frozen=True)
class Labels:
    """What there is to predict.

    `names` are the classes in the order of the logits (empty where there are none, as in a
    regression); `values` are the same classes as the column spells them.
    """

    problem_type: str
    names: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()

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
            return [self._id(tag, ids, f"{where}, word {i}") for i, tag in enumerate(value)]
        if self.problem_type == REGRESSION:
            try:
                return float(value)
            except (TypeError, ValueError):
                raise DataError(f"{where}: {value!r} is not a number to regress on") from None
        chosen = [
            self._id(v, ids, where) for v in (value if self.problem_type == MULTI else [value])
        ]
        if self.problem_type != MULTI:
            return chosen[0]
        return [float(i in chosen) for i in range(len(self.names))]

    def _id(self, value: Any, ids: dict[Any, int], where: str) -> int:
        if value not in ids:
            known = suggest(value, map(str, self.values[:50]))
            raise DataError(f"{where}: label {value!r} does not occur in train; {known}")
        return ids[value]

    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Turn (rows, num_labels) logits into class ids, 0/1 rows (above 0.5) or numbers."""
        if self.problem_type == REGRESSION:
            return logits.reshape(len(logits)).astype(float)
        if self.problem_type == MULTI:
            # a logit of 0 is a probability of 0.5
            return (logits > 0).astype(int)
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

    def baseline(self, train: Any, rows: int) -> np.ndarray:
        """Predict for `rows` examples without their input: the mean, or the most frequent label."""
        targets = np.asarray(train)
        if self.problem_type == REGRESSION:
            return np.full(rows, targets.mean())
        if self.problem_type == MULTI:
            return np.tile((targets.mean(axis=0) > 0.5).astype(int), (rows, 1))
        return np.full(rows, np.bincount(targets).argmax())


def infer(train: "Dataset", problem_type: str = "auto", column: str = "label") -> Labels:
    """Infer classes and problem type from the label column of train.

    A float column is a regression; a list column is multi-label; everything else is one label
    per example. `ClassLabel` features bring their names along.

    Raises:
        RecipeError: `problem_type` is none of those there are.
        DataError: the column does not fit the problem type, or holds one class only.
    """
    feature, values = train.features[column], train[column][:]
    kind = _kind(feature, values) if problem_type == "auto" else problem_type
    if kind not in PROBLEM_TYPES:
        raise RecipeError(f"unknown problem_type '{kind}'; {suggest(kind, PROBLEM_TYPES)}")
    if kind == REGRESSION:
        return Labels(REGRESSION)
    if kind == MULTI:
        feature = getattr(feature, "feature", feature)
        values = [v for row in values for v in (row or ())]
    names = getattr(feature, "names", None)
    # -1 is "no label" among class ids, as in GLUE; as a plain number it is a class like any other
    classes = sorted({v for v in values if v is not None and not (names and v == -1)}, key=_natural)
    if len(classes) < 2:
        present = ", ".join(repr(names[v] if names else v) for v in classes) or "no label"
        raise DataError(f"train: column '{column}' holds {present} only; need two classes")
    if names:
        return Labels(kind, tuple(names), tuple(range(len(names))))
    return Labels(kind, tuple(map(str, classes)), tuple(classes))


def _kind(feature: Any, values: list[Any]) -> str:
    if hasattr(feature, "feature"):
        return MULTI
    # a column has one type, but its first values may be missing
    return REGRESSION if any(isinstance(v, float) for v in values[:1000]) else SINGLE


def _natural(value: Any) -> tuple[bool, Any]:
    # numbers before texts, which Python does not compare with each other
    return (isinstance(value, str), value)
