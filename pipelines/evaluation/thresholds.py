"""Above which probability a label is given, where an example has several: chosen on validation."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.core.labels import HALF

MIN_EXAMPLES = 20  # of validation with a label, and without it: the best cut of fewer is chance
NUM_DIGITS = 6  # of a threshold, so that a card can print all of it


@dataclass(frozen=True)
class Thresholds:
    """A threshold for each label, and how it was chosen.

    Attributes:
        values: (labels,) probabilities above which a label is given.
        num_own: how many labels have a threshold of their own, other than 0.5.
        num_shared: how many have one together, for lack of examples.
        num_best_at_half: how many have enough examples, and the best F1 at 0.5.
    """

    values: tuple[float, ...]
    num_own: int
    num_shared: int
    num_best_at_half: int

    @classmethod
    def of(cls, logits: Any, targets: Any) -> "Thresholds":
        """Choose the thresholds of the best F1 (arXiv 1402.1892); of equals, the nearest to 0.5.

        Labels with fewer examples than `MIN_EXAMPLES` share the threshold that is best for all of
        them together, if together they have as many. Otherwise, and where too few examples are
        without the label, it is 0.5.

        Args:
            logits: (rows, labels) of validation.
            targets: (rows, labels) of 0 and 1.
        """
        from scipy.special import expit

        probabilities, has_label = expit(np.asarray(logits, float)), np.asarray(targets) > 0
        num_with = has_label.sum(axis=0)
        can_be_left = len(has_label) - num_with >= MIN_EXAMPLES
        common, rare = (
            can_be_left & (num_with >= MIN_EXAMPLES),
            can_be_left & (num_with < MIN_EXAMPLES),
        )
        values = np.full(len(num_with), HALF)
        for label in np.flatnonzero(common):
            values[label] = best(probabilities[:, label], has_label[:, label])
        if num_with[rare].sum() < MIN_EXAMPLES:
            rare[:] = False
        if rare.any():
            values[rare] = best(probabilities[:, rare].ravel(), has_label[:, rare].ravel())
        differs = values != HALF
        counted = (common & differs, rare & differs, (common | rare) & ~differs)
        return cls(tuple(values.tolist()), *(int(which.sum()) for which in counted))

    def __str__(self) -> str:
        """Say for how many labels there is one."""
        others = len(self.values) - self.num_own - self.num_shared - self.num_best_at_half
        too_few = f"fewer than {MIN_EXAMPLES} examples with the label, or without it, in validation"
        parts = [
            f"{self.num_own} of {len(self.values)} labels have one of their own",
            f"{self.num_shared} rarer ones share one" * bool(self.num_shared),
            f"{self.num_best_at_half} best at {HALF}" * bool(self.num_best_at_half),
            f"{others} left at {HALF} ({too_few})" * bool(others),
        ]
        return ", ".join(filter(None, parts))


def best(probabilities: np.ndarray, is_right: np.ndarray) -> float:
    """Return the threshold of the best F1 for (decisions,) probabilities of being right."""
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], np.cumsum(is_right[order])
    # between neighbors, so that new examples fall on either side; 0.5 is tried as it is
    cuts = np.round((ranked[:-1] + ranked[1:]) / 2, NUM_DIGITS)
    separates = (ranked[:-1] > cuts) & (cuts >= ranked[1:]) & (cuts > 0)
    num_given = np.append(np.flatnonzero(separates) + 1, (ranked > HALF).sum())
    thresholds = np.append(cuts[separates], HALF)
    num_hits = np.where(num_given > 0, hits[num_given - 1], 0)
    scores = 2 * num_hits / (num_given + hits[-1])
    is_best = np.isclose(scores, scores.max(), rtol=0, atol=1e-12)
    nearest = np.argmin(np.where(is_best, np.abs(thresholds - HALF), np.inf))
    return float(thresholds[nearest])
