"""How frequent classes are in the target, if nothing but that has changed: BBSE, 1802.03916.

What a probe predicts there is a mixture of what it predicts for each class here: with the matrix C
of (predicted, true) shares on held-out source rows, and q the shares of predictions in the target,
the weight of each class is w = C⁻¹ q.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.evaluation.shift.domain_classifier import SIGNIFICANCE

MIN_SINGULAR = 0.02  # of the matrix scaled to chance 1: below, few rows decide about the inverse
NUM_DRAWS = 200
INTERVAL = (2.5, 97.5)  # percent
MAX_SHOWN = 5  # classes whose shares changed most
MAX_ITERATIONS = 1000  # of the solver


@dataclass(frozen=True)
class LabelShift:
    """Estimated shares of classes in the target.

    Attributes:
        source: (classes,) shares in the source.
        target: (classes,) estimated shares; None where they cannot be estimated.
        low, high: (classes,) bounds of 95 % of the estimates for other draws of the rows.
        is_seen: whether a share changed by more than draws of rows do, all classes considered.
        names: of the classes.
        reason: why there is no estimate.
    """

    names: tuple[str, ...]
    source: np.ndarray
    target: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    is_seen: bool = False
    reason: str = ""

    @classmethod
    def estimate(
        cls,
        source: np.ndarray,
        labels: np.ndarray,
        target: np.ndarray,
        names: tuple[str, ...],
        seed: int,
    ) -> "LabelShift":
        """Solve a probe on half of the source, and invert its confusions on the other half.

        Args:
            source, target: (rows, dim) features.
            labels: (rows,) class ids of the source.
            names: of the classes; those without a row in one half are left out.
        """
        random = np.random.default_rng(seed)
        order = random.permutation(len(labels))
        first, second = order[: len(order) // 2], order[len(order) // 2 :]
        shares = np.bincount(labels, minlength=len(names)) / len(labels)
        if absent := [name for name, share in zip(names, shares, strict=True) if not share]:
            return cls(names, shares, reason=f"no row of class '{absent[0]}' was drawn")
        if len({*labels[first]}) < len(names):
            return cls(names, shares, reason="a class has too few rows")
        probe = _probe().fit(source[first], labels[first])
        predicted, true = probe.predict(source[second]), labels[second]
        elsewhere = probe.predict(target)
        matrix = _confusions(predicted, true, len(names))
        # for K equal classes a perfect probe has K singular values of 1 / K
        smallest = float(np.linalg.svd(matrix, compute_uv=False)[-1]) * len(names)
        if smallest < MIN_SINGULAR:
            return cls(names, shares, reason="the probe confuses classes: its matrix is singular")
        estimate = _shares(matrix, elsewhere, shares)
        redrawn = (
            _redrawn(predicted, true, elsewhere, labels, shares, random) for _ in range(NUM_DRAWS)
        )
        draws, at_home = map(np.stack, zip(*redrawn, strict=True))
        low, high = np.percentile(draws, INTERVAL, axis=0)
        is_seen = _has_changed(estimate - shares, draws - at_home)
        # estimates that stop at 0 or 1 spread less than their error
        is_seen &= (shares < low) | (shares > high)
        return cls(names, shares, estimate, low, high, bool(is_seen.any()))

    def lines(self) -> Iterator[str]:
        """Yield the shares that changed most, and what they may mean."""
        if self.target is None or self.low is None or self.high is None:
            yield f"label shift: not estimated: {self.reason}"
            return
        changed = np.argsort(-np.abs(self.target - self.source))[:MAX_SHOWN]
        shown = ", ".join(
            f"{self.names[i]} {self.source[i]:.2f} -> {self.target[i]:.2f} "
            f"[{self.low[i]:.2f}, {self.high[i]:.2f}]"
            for i in changed
        )
        yield f"label shift (BBSE): shares of classes, largest changes first: {shown}"
        assumption = "assumes that classes look alike in both domains"
        if self.is_seen:
            yield (
                f"  classes may be more or less frequent there; the estimate {assumption}, and "
                "where they do not, it shows that instead"
            )
        else:
            yield f"  no change of the shares is seen; the estimate {assumption}"


def _probe() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=MAX_ITERATIONS))


def _has_changed(changes: np.ndarray, redrawn: np.ndarray) -> np.ndarray:
    """Return (classes,) whether a share changed by more than (draws, classes) redrawn ones do."""
    from scipy.stats import norm

    # of many classes one seems to change by chance: Bonferroni's bound
    bound = float(norm.isf(SIGNIFICANCE / 2 / len(changes)))
    return np.abs(changes) > bound * np.std(redrawn, axis=0)


def _redrawn(
    predicted: np.ndarray,
    true: np.ndarray,
    elsewhere: np.ndarray,
    labels: np.ndarray,
    shares: np.ndarray,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate once more from rows drawn with replacement: (classes,) of the target, source."""
    rows = random.integers(len(true), size=len(true))
    drawn = elsewhere[random.integers(len(elsewhere), size=len(elsewhere))]
    at_home = labels[random.integers(len(labels), size=len(labels))]
    matrix = _confusions(predicted[rows], true[rows], len(shares))
    shares_at_home = np.bincount(at_home, minlength=len(shares)) / len(at_home)
    return _shares(matrix, drawn, shares), shares_at_home


def _confusions(predicted: np.ndarray, true: np.ndarray, num_classes: int) -> np.ndarray:
    """Compute the (predicted, true) shares of all rows."""
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (predicted, true), 1.0)
    return counts / len(true)


def _shares(matrix: np.ndarray, predicted: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Estimate (classes,) shares in the target from the classes that were predicted there."""
    elsewhere = np.bincount(predicted, minlength=len(source)) / len(predicted)
    # a draw may lack a class, which has no inverse: least squares has an answer
    weights = np.linalg.lstsq(matrix, elsewhere, rcond=None)[0]
    shares = np.maximum(weights, 0) * matrix.sum(axis=0)
    total = float(shares.sum())
    return shares / total if total else source
