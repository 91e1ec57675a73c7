"""Model outputs on a split, as choices among classes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from pipelines.core.labels import MULTI


@dataclass(frozen=True, eq=False)
class Decisions:
    """Choices among classes, with the right ones.

    Attributes:
        logits: (rows, classes) float64.
        targets: (rows,) ids of the right classes.
    """

    logits: np.ndarray
    targets: np.ndarray

    @classmethod
    def of(cls, logits: Any, targets: Any, problem_type: str) -> Self:
        """Make one decision per example; of a multi-label problem, one per example and label.

        Args:
            logits: (examples, labels).
            targets: (examples,) class ids, or (examples, labels) of 0 and 1.
        """
        # float64: a mean over many float32 likelihoods would lose digits
        values, right = np.asarray(logits, float), np.asarray(targets, int)
        if problem_type == MULTI:
            # a label is a choice between no and yes: sigmoid(z) = softmax([0, z])[1]
            yes, right = values.ravel(), right.ravel()
            values = np.stack([np.zeros_like(yes), yes], axis=1)
        return cls(values, right)

    def with_temperature(self, temperature: float) -> "Decisions":
        """Divide every logit by `temperature`."""
        return Decisions(self.logits / temperature, self.targets)

    def take(self, rows: np.ndarray) -> "Decisions":
        """Select the decisions at these (num_rows,) positions."""
        return Decisions(self.logits[rows], self.targets[rows])

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(rows, classes) softmax of the logits."""
        from scipy.special import softmax

        return softmax(self.logits, axis=1)

    @property
    def right(self) -> np.ndarray:
        """(rows,) probabilities of the right classes."""
        return self.probabilities[np.arange(len(self.targets)), self.targets]

    @property
    def nll(self) -> float:
        """Mean negative log-likelihood, in nats."""
        from scipy.special import logsumexp

        # from logits, not from `right`, whose logarithm is -inf once a probability underflows
        right = self.logits[np.arange(len(self.targets)), self.targets]
        return float((logsumexp(self.logits, axis=1) - right).mean())
