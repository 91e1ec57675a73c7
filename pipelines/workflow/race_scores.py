"""The strategies that `auto` cross-validates: a table of them, and what the best is worth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from pipelines.core.console import duration
from pipelines.strategies.choosing.comparable import MIN_FOLDS

NO_TIME = "no time is left"
MAX_STANDARD_ERRORS = 1.0  # of a paired difference, which chance makes


@dataclass(frozen=True)
class Entrant:
    """A strategy, and how it did on the folds that it was trained for.

    Attributes:
        score: on all rows out of fold; None where it was left out before. Of one that there was no
            time for, the leader's, and how far it is ahead on the same folds.
        reason: why it did not go through all folds.
    """

    name: str
    fold_scores: tuple[float, ...] = ()
    score: float | None = None
    seconds: float = 0.0
    reason: str = ""


def is_behind(scores: Sequence[float], leader: Entrant, sign: int, *, any_lead: bool) -> bool:
    """Return whether the leader is better on the same folds, which are MIN_FOLDS at least.

    Args:
        sign: 1 where greater scores are better, else -1.
        any_lead: whether any lead counts; else it must be more than one standard error.
    """
    lead = _lead(scores, leader, sign)
    return len(lead) >= MIN_FOLDS and fmean(lead) >= (0.0 if any_lead else _by_chance(lead))


def clearly_ahead(stopped: Entrant, leader: Entrant | None, sign: int) -> Entrant | None:
    """Return an entrant that time did not suffice for with a score, if it is ahead of the leader.

    Its folds are fewer, so it has the leader's score on all rows, and its lead on the same folds.
    """
    if leader is None or leader.score is None or stopped.reason != NO_TIME:
        return None
    lead = _lead(stopped.fold_scores, leader, sign)
    if len(lead) < MIN_FOLDS or -fmean(lead) < _by_chance(lead):
        return None
    reason = f"ahead of {leader.name}, and {NO_TIME}"
    return replace(stopped, score=leader.score - sign * fmean(lead), reason=reason)


def _lead(scores: Sequence[float], leader: Entrant, sign: int) -> list[float]:
    """Return by how much the leader is better on each fold that both went through."""
    # paired: what makes a fold hard, it does for both
    pairs = zip(leader.fold_scores, scores, strict=False)
    return [sign * (leading - score) for leading, score in pairs]


def _by_chance(lead: Sequence[float]) -> float:
    return MAX_STANDARD_ERRORS * stdev(lead) / len(lead) ** 0.5 + 1e-9


def table(entrants: Sequence[Entrant]) -> Iterator[str]:
    """Write a line for each entrant: its score, how it varies over folds, its time."""
    for entrant in entrants:
        scores = entrant.fold_scores
        spread = f" ± {stdev(scores) / len(scores) ** 0.5:.4f}" if len(scores) > 1 else ""
        mean = f"{fmean(scores):.4f}{spread}" if scores else "-"
        end = "left out" if entrant.score is None else "stopped"
        left = f"; {end} after {len(scores)} folds: {entrant.reason}" if entrant.reason else ""
        yield f"  {entrant.name:<14} {mean:<16} {duration(entrant.seconds):>8}{left}"


def reason(entrants: Sequence[Entrant], best: Entrant, metric: str, sign: int) -> str:
    """Say why the best was chosen, and what it is worth where the choice has no part in it.

    Args:
        sign: 1 where greater scores of `metric` are better, else -1.
    """
    tried = ", ".join(entrant.name for entrant in entrants if entrant.fold_scores)
    folds = f", by {len(best.fold_scores)} folds" if best.reason else ""
    reason = f"{metric} {best.score:.4f} out of fold{folds}, the best of {tried}"
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
    if len(finished) < 2 or min(map(len, finished)) < 2:
        return None

    scores = []
    num_folds = min(map(len, finished))
    for fold in range(num_folds):
        others = [sign * fmean(each[:fold] + each[fold + 1 : num_folds]) for each in finished]
        # the first of equals, as among all folds
        scores.append(finished[others.index(max(others))][fold])
    return fmean(scores)
