"""One head that was tried, and which of several is the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from pipelines.core.jackknife import standard_error

if TYPE_CHECKING:
    import numpy as np

    from pipelines.features.heads import SolvedHead

# of pairs a cosine is one number, for which few rows suffice, and the vector of each text knows
# more than one of both (benchmarks/README.md, "Pairs of texts"); what is averaged over all tokens
# varies less than what one token holds; `head` is what the plain class reads
POOLINGS_BY_PREFERENCE = (
    "similarity:mean",
    "apart:mean",
    "mean",
    "head",
    "mean_max",
    "cls",
    "last",
    "similarity:cls",
    "apart:cls",
)
# by which a pooling has to be better over folds than one that is preferred. Without, 32 sentences
# of each class of SST-2 choose features worth 66.3 % on average, where `mean` is worth 68.5
MIN_STANDARD_ERRORS = 2


@dataclass(frozen=True)
class HeadTrial:
    """One head: from which features, how strongly regularized, how good where it was not solved.

    Attributes:
        strength: the value of the head's hyperparameter.
        pseudo_values: what each fold of train adds to the score; empty where they choose nothing.
    """

    pooling: str
    strength: float
    score: float
    pseudo_values: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SolvedTrial(HeadTrial):
    """The chosen trial, with the head that was solved on all of train.

    Attributes:
        biased: whether the head has a bias.
        out_of_fold: (targets, num_labels) logits of each row of train by a head that did not see
            its fold; None where a validation split chose.
    """

    head: "SolvedHead"
    biased: bool
    out_of_fold: "np.ndarray | None" = None

    @property
    def num_parameters(self) -> int:
        """Parameters of the head, without a bias that the model has no place for."""
        layers = [layer.linear for layer in self.head.layers]
        return sum(layer.weight.size + layer.bias.size * self.biased for layer in layers)


def best_pooling(trials: Sequence[HeadTrial], *, greater_is_better: bool) -> str:
    """Choose features: by the best score, then the mean over strengths, then by preference.

    Few rows choose among many equals, the first of which would be chance. Over folds, what is
    preferred is kept until another pooling is better by more than chance.
    """
    sign = 1 if greater_is_better else -1
    by_pooling: dict[str, list[HeadTrial]] = {}
    for trial in trials:
        by_pooling.setdefault(trial.pooling, []).append(trial)
    preferred = sorted(by_pooling, key=_rank)

    def merit(pooling: str) -> tuple[float, float]:
        scores = [sign * trial.score for trial in by_pooling[pooling]]
        # rounded: the last digits of a mean depend on the order of its summands
        return max(scores), round(fmean(scores), 9)

    leader = max(preferred, key=merit)
    best = {
        pooling: max(tried, key=lambda trial: sign * trial.score)
        for pooling, tried in by_pooling.items()
    }
    near = (pooling for pooling in preferred if _is_near(best[pooling], best[leader]))
    return next(near, leader)


def _rank(pooling: str) -> int:
    """Return the place in the order of preference; of other names the first one tried is first."""
    is_usual = pooling in POOLINGS_BY_PREFERENCE
    return POOLINGS_BY_PREFERENCE.index(pooling) if is_usual else 0


def _is_near(trial: HeadTrial, leader: HeadTrial) -> bool:
    """Return whether folds do not tell the two apart; False where a validation split scores."""
    if not leader.pseudo_values:
        return False
    pairs = zip(leader.pseudo_values, trial.pseudo_values, strict=True)
    # paired: what makes a fold hard, it does for both
    gains = [one - other for one, other in pairs]
    return abs(fmean(gains)) <= MIN_STANDARD_ERRORS * standard_error(gains)


def best_strength(trials: Sequence[HeadTrial], *, greater_is_better: bool) -> HeadTrial:
    """Choose the trial with the best score; of equals the middle one, away from both ends."""
    best = (max if greater_is_better else min)(trial.score for trial in trials)
    equals = [trial for trial in trials if trial.score == best]
    return sorted(equals, key=lambda trial: trial.strength)[(len(equals) - 1) // 2]
