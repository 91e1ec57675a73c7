"""The strategies that `auto` cross-validates: a table of them, and what the best is worth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from pipelines.core.console import duration


@dataclass(frozen=True)
class Entrant:
    """A strategy, and how it did on the folds that it was trained for.

    Attributes:
        score: on all rows out of fold; None where it was left out before.
        reason: why it was left out.
    """

    name: str
    fold_scores: tuple[float, ...] = ()
    score: float | None = None
    seconds: float = 0.0
    reason: str = ""


def table(entrants: Sequence[Entrant]) -> Iterator[str]:
    """Write a line for each entrant: its score, how it varies over folds, its time."""
    for entrant in entrants:
        scores = entrant.fold_scores
        spread = f" ± {stdev(scores) / len(scores) ** 0.5:.4f}" if len(scores) > 1 else ""
        mean = f"{fmean(scores):.4f}{spread}" if scores else "-"
        left = f"; left out after {len(scores)} folds: {entrant.reason}" if entrant.reason else ""
        yield f"  {entrant.name:<14} {mean:<16} {duration(entrant.seconds):>8}{left}"


def reason(entrants: Sequence[Entrant], best: Entrant, metric: str, sign: int) -> str:
    """Say why the best was chosen, and what it is worth where the choice has no part in it.

    Args:
        sign: 1 where greater scores of `metric` are better, else -1.
    """
    tried = ", ".join(entrant.name for entrant in entrants if entrant.fold_scores)
    reason = f"{metric} {best.score:.4f} out of fold, the best of {tried}"
    honest = nested_score(entrants, sign)
    if honest is None:
        return reason
    return f"{reason}; {honest:.4f} on folds that have no part in the choice"


def nested_score(entrants: Sequence[Entrant], sign: int) -> float | None:
    """Score each fold by the entrant that the other folds choose, and take the mean.

    The score of the best of several is too good, since the rows that it is measured on chose it;
    this one is not (Varma and Simon 2006, doi 10.1186/1471-2105-7-91).

    Returns:
        None where fewer than two entrants went through all folds, so that nothing was chosen.
    """
    finished = [entrant.fold_scores for entrant in entrants if entrant.score is not None]
    if len(finished) < 2 or len(finished[0]) < 2:
        return None

    scores = []
    for fold in range(len(finished[0])):
        others = [sign * fmean(each[:fold] + each[fold + 1 :]) for each in finished]
        # the first of equals, as among all folds
        scores.append(finished[others.index(max(others))][fold])
    return fmean(scores)
