"""The strategies that `auto` cross-validates: a table of them, and what the best is worth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from pipelines.core.console import duration
from pipelines.core.jackknife import standard_error
from pipelines.strategies.choosing.comparable import MIN_FOLDS
from pipelines.workflow.out_of_fold import OutOfFold, merged

NO_TIME = "no time is left"
MAX_STANDARD_ERRORS = 1.0  # of a paired difference, which chance makes


@dataclass(frozen=True)
class Entrant:
    """A strategy, and how it did on the folds that it was trained for.

    Attributes:
        answers: None where it was trained for no fold.
        reason: why it did not go through all folds; empty if it did.
    """

    name: str
    answers: OutOfFold | None = None
    seconds: float = 0.0
    reason: str = ""

    @property
    def score(self) -> float | None:
        """The score of all rows out of fold; None where it was left out before."""
        return self.answers.score if self.answers and not self.reason else None


def is_behind(answers: OutOfFold, leader: Entrant, sign: int, *, any_lead: bool) -> bool:
    """Return whether the leader is better on the same folds, which are MIN_FOLDS at least.

    Args:
        sign: 1 where greater scores are better, else -1.
        any_lead: whether any lead counts; else it must be more than one standard error.
    """
    lead = _lead(answers, leader, sign)
    return len(lead) >= MIN_FOLDS and fmean(lead) >= (0.0 if any_lead else _by_chance(lead))


def worth_the_time(entrants: Sequence[Entrant], leader: Entrant, sign: int) -> Entrant | None:
    """Return the entrant that time did not suffice for, and that is clearly ahead of the leader.

    By folds that are fewer it has not won: the others decide.
    """
    leads = {
        entrant.name: _lead(entrant.answers, leader, sign)
        for entrant in entrants
        if entrant.reason == NO_TIME and entrant.answers
    }
    ahead = {
        name: -fmean(lead)
        for name, lead in leads.items()
        if len(lead) >= MIN_FOLDS and -fmean(lead) >= _by_chance(lead)
    }
    best = max(ahead, key=lambda name: ahead[name], default=None)
    return next((entrant for entrant in entrants if entrant.name == best), None)


def _lead(answers: OutOfFold, leader: Entrant, sign: int) -> list[float]:
    """Return by how much the leader is better on each fold that both went through."""
    assert leader.answers
    # paired: what makes a fold hard, it does for both
    pairs = zip(
        leader.answers.first(len(answers)).pseudo_values, answers.pseudo_values, strict=True
    )
    return [sign * (leading - value) for leading, value in pairs]


def _by_chance(lead: Sequence[float]) -> float:
    return MAX_STANDARD_ERRORS * standard_error(lead) + 1e-9


def table(entrants: Sequence[Entrant], best: Entrant | None) -> Iterator[str]:
    """Write a line for each entrant: its score, its standard error, its time.

    Args:
        best: is scored beside those that were left out, on the same folds.
    """
    for entrant in entrants:
        score = "-"
        if entrant.answers:
            error = entrant.answers.standard_error
            score = f"{entrant.answers.score:.4f}" + ("" if error is None else f" ± {error:.4f}")
        left = f"; {_left_out(entrant, best)}" if entrant.reason else ""
        yield f"  {entrant.name:<14} {score:<16} {duration(entrant.seconds):>8}{left}"


def _left_out(entrant: Entrant, best: Entrant | None) -> str:
    """Say after how many folds an entrant was left out, and why."""
    num_folds, beside = len(entrant.answers or ()), ""
    if num_folds and best and best.answers:
        beside = f", of which {best.name} has {best.answers.first(num_folds).score:.4f}"
    return f"left out after {num_folds} folds{beside}: {entrant.reason}"


def reason(entrants: Sequence[Entrant], best: Entrant, metric: str, sign: int) -> str:
    """Say why the best was chosen, and what it is worth where the choice has no part in it.

    Args:
        sign: 1 where greater scores of `metric` are better, else -1.
    """
    tried = [entrant.name for entrant in entrants if entrant.answers]
    rank = f"the best of {', '.join(tried)}" if len(tried) > 1 else "and no other was scored"
    reason = f"{metric} {best.score:.4f} out of fold, {rank}"
    honest = nested_score(entrants, sign)
    if honest is None:
        return reason
    return f"{reason}; {honest:.4f} on folds that have no part in the choice"


def nested_score(entrants: Sequence[Entrant], sign: int) -> float | None:
    """Score each fold by the entrant that the other folds choose, all folds together.

    The score of the best of several is too good, since the rows that it is measured on chose it;
    this one is not (Varma and Simon 2006, doi 10.1186/1471-2105-7-91).

    Returns:
        None where fewer than two entrants went through all folds, so that nothing was chosen.
    """
    finished = [each.answers for each in entrants if each.answers and not each.reason]
    if len(finished) < 2 or len(finished[0]) < 2:
        return None
    folds, chosen = range(len(finished[0])), []
    for fold in folds:
        others = [other for other in folds if other != fold]
        scores = [sign * answers.over(others) for answers in finished]
        # the first of equals, as among all folds
        chosen.append(finished[scores.index(max(scores))].by_fold[fold])
    return finished[0].score_of(merged(chosen))
