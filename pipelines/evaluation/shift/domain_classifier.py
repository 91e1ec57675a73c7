"""Whether features show the domain that a row is of: the error of a classifier of domains.

Proxy A-distance: Ben-David et al., "Analysis of representations for domain adaptation", 2006. The
test is that of Lopez-Paz and Oquab, 1610.06545.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.shift.samples import balanced

NUM_PERMUTATIONS = 999
MAX_ITERATIONS = 1000  # of the solver
STRENGTH = 0.01  # C of logistic regression: rows are few, and features many
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class DomainClassifier:
    """The result of telling two domains apart.

    Attributes:
        error: on rows that it was not fitted on, half of them of each domain; 0.5 is chance.
        p_value: the share of permutations of the domains whose error is as small.
        num_rows: how many rows the error was measured on.
    """

    error: float
    p_value: float
    num_rows: int

    @classmethod
    def fit(cls, source: np.ndarray, target: np.ndarray, seed: int) -> "DomainClassifier":
        """Fit logistic regression on half of the rows, and score the other half.

        Args:
            source, target: (rows, dim) features; as many rows are used of each.
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        random = np.random.default_rng(seed)
        drawn = balanced(source, target, random)
        count = len(drawn[0])
        half = count // 2
        fitted_on = np.concatenate([rows[:half] for rows in drawn])
        held_out = np.concatenate([rows[half:] for rows in drawn])
        solver = LogisticRegression(C=STRENGTH, max_iter=MAX_ITERATIONS)
        classifier = make_pipeline(StandardScaler(), solver)
        classifier.fit(fitted_on, np.repeat([0, 1], half))
        predicted = classifier.predict(held_out)
        domains = np.repeat([0, 1], count - half)
        error = float(np.mean(predicted != domains))
        # the classifier has not seen these rows: if domains are alike, any order of them is as
        # likely, so that nothing has to be fitted again
        null = [
            float(np.mean(predicted != random.permutation(domains)))
            for _ in range(NUM_PERMUTATIONS)
        ]
        as_small = sum(each <= error for each in null)
        return cls(error, (1 + as_small) / (1 + NUM_PERMUTATIONS), len(domains))

    @property
    def distance(self) -> float:
        """Proxy A-distance, from 0 (alike) to 2."""
        return max(0.0, 2 * (1 - 2 * self.error))

    def lines(self) -> Iterator[str]:
        """Yield the figures, and what they may mean."""
        yield (
            f"domain classifier: error {self.error:.3f} on {self.num_rows:,} held-out rows (chance "
            f"0.5), p {self.p_value:.3f}; proxy A-distance {self.distance:.2f} of 2"
        )
        if self.p_value > SIGNIFICANCE:
            yield (
                "  these rows do not show a difference; that does not prove that there is none, "
                "nor that labels mean the same"
            )
        else:
            yield (
                "  features show the domain: a head solved on the source may err there, but need "
                "not, since what differs may be what it does not read"
            )
