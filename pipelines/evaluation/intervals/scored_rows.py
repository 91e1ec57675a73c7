"""Examples with what is predicted for them, and what their scores can be summed up from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipelines.core.labels import CHOICE, MULTI, SINGLE, Labels
from pipelines.evaluation.intervals import class_sums, text_sums


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Examples with what is predicted for them.

    Attributes:
        predictions: one for each example, in the form of `Task.predict`.
        references: one for each example, in the form of `Task.targets`.
        probabilities: (examples, classes) for metrics that take them; None where none does.
    """

    predictions: Any
    references: Any
    probabilities: Any
    labels: Labels

    def __len__(self) -> int:
        return len(self.references)

    @property
    def have_classes(self) -> bool:
        """Whether an example has one class, or several labels."""
        return self.labels.problem_type in (SINGLE, MULTI, CHOICE)

    @cached_property
    def class_counts(self) -> Any:
        """Sparse counts of `class_sums.count`."""
        return class_sums.count(self.predictions, self.references, self.labels.num_labels)

    @cached_property
    def entities(self) -> tuple[Any, tuple[str, ...]]:
        """Sparse counts and kinds of `text_sums.entities`."""
        return text_sums.entities(self.predictions, self.references, self.labels.names)

    @cached_property
    def probability_of_right(self) -> np.ndarray:
        """(examples,) of the right class, or (examples, labels) of the right decisions."""
        right = np.asarray(self.references).astype(int)
        if self.labels.problem_type == MULTI:
            return np.where(right, self.probabilities, 1 - self.probabilities)
        return np.asarray(np.take_along_axis(self.probabilities, right[:, None], axis=1)[:, 0])


@dataclass(frozen=True, eq=False)
class Sums:
    """A score that follows from sums over rows.

    Attributes:
        rows: (rows, sums), dense or sparse: what each row adds.
        score: (draws, sums) -> (draws,) scores.
    """

    rows: Any
    score: Callable[[np.ndarray], np.ndarray]
