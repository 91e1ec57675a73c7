"""What a strategy answers out of fold, and what that is worth on any of the folds together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from pipelines.core.jackknife import pseudo_values, standard_error
from pipelines.training.fold_cache import Logits


@dataclass(frozen=True)
class OutOfFold:
    """The logits of the folds that were trained for, in their order.

    Attributes:
        score_of: scores rows by the metric that chooses.
    """

    score_of: Callable[[Logits], float]
    by_fold: tuple[Logits, ...] = ()

    def __len__(self) -> int:
        return len(self.by_fold)

    def and_fold(self, logits: Logits) -> "OutOfFold":
        """Return the same with one fold more."""
        return replace(self, by_fold=(*self.by_fold, logits))

    def first(self, num_folds: int) -> "OutOfFold":
        """Return what is known of the first folds, to be compared with one that has no more."""
        return self if num_folds == len(self) else replace(self, by_fold=self.by_fold[:num_folds])

    @cached_property
    def score(self) -> float:
        """The score of all rows of these folds together."""
        return self.over(range(len(self)))

    def over(self, folds: Iterable[int]) -> float:
        """Score the rows of some folds together."""
        return self.score_of(merged(self.by_fold[fold] for fold in folds))

    @cached_property
    def pseudo_values(self) -> tuple[float, ...]:
        """What each fold adds to the score."""
        return pseudo_values(self.over, range(len(self)))

    @property
    def standard_error(self) -> float | None:
        """The standard error of the score; None of a single fold."""
        values = self.pseudo_values
        return standard_error(values) if len(values) > 1 else None


def merged(folds: Iterable[Logits]) -> Logits:
    """Put the rows of several folds together."""
    return {row: logits for fold in folds for row, logits in fold.items()}
