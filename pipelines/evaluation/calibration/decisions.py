"""What a model said about a split, as choices among classes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from pipelines.core.labels import MULTI


@dataclass(frozen=True, eq=False)
class Decisions:
    """(rows, classes) logits, and (rows,) ids of the right classes."""

    logits: np.ndarray
    targets: np.ndarray

    @classmethod
    def of(cls, logits: Any, targets: Any, problem_type: str) -> Self:
        """One for each example; of several labels, one for each example and label: no or yes.

        The sigmoid of a logit is the softmax of 0 and it.
        """
        said, right = np.asarray(logits, float), np.asarray(targets, int)
        if problem_type == MULTI:
            yes, right = said.ravel(), right.ravel()
            said = np.stack([np.zeros_like(yes), yes], axis=1)
        return cls(said, right)

    def with_temperature(self, temperature: float) -> "Decisions":
        """What is said when every logit is divided by `temperature`."""
        return Decisions(self.logits / temperature, self.targets)

    def take(self, rows: np.ndarray) -> "Decisions":
        """Only some of them."""
        return Decisions(self.logits[rows], self.targets[rows])

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(rows, classes) softmax."""
        from scipy.special import softmax

        return softmax(self.logits, axis=1)

    @property
    def right(self) -> np.ndarray:
        """(rows,) probabilities of the right class."""
        return self.probabilities[np.arange(len(self.targets)), self.targets]

    @property
    def nll(self) -> float:
        """Mean negative log-likelihood, in nats."""
        from scipy.special import logsumexp

        right = self.logits[np.arange(len(self.targets)), self.targets]
        return float((logsumexp(self.logits, axis=1) - right).mean())
