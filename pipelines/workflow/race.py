"""Of few rows: `auto` cross-validates strategies, and the best one becomes the run's.

entrants, simple first ── each fold in turn ── behind, or no time for two? ──▶ left out
                                            ├─ no time for all, and clearly ahead? ──┐
                                            └─ all folds ──▶ score on all rows ──────┴──▶ the best

A run of the winner finds its folds in the cache.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.core import processes, registry
from pipelines.core.console import capture_stdout, duration, say
from pipelines.core.errors import ModelError
from pipelines.recipe import Recipe
from pipelines.strategies import Strategy
from pipelines.strategies.auto import RACE_MINUTES, Auto
from pipelines.strategies.choosing.comparable import MIN_FOLDS
from pipelines.training.cross_validation import CrossValidation
from pipelines.training.fold_cache import Logits
from pipelines.training.job import Job
from pipelines.workflow import race_scores, simple_model
from pipelines.workflow.prepare import on_rows_of
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.race_scores import NO_TIME, Entrant
from pipelines.workflow.train import job_of

# times what is allowed, before an entrant is stopped that could still go through all folds: beside
# other work on the machine it takes longer than was estimated
MAX_OVERRUN = 2.0


def race(recipe: Recipe, prepared: Prepared) -> Prepared:
    """Let the entrants of `auto` compete, and prepare the best; what is no race stays as it is.

    Args:
        recipe: as the user wrote it.

    Raises:
        GraftError: as `prepare` does; ModelError where no entrant can be trained.
        Interrupted: on a signal; finished folds are kept.
    """
    strategy = prepared.recipe.strategy
    if not isinstance(strategy, Auto):
        return prepared
    names, seconds = strategy.entrants or (), 60 * (strategy.minutes or RACE_MINUTES)
    say(
        f"auto: compares {', '.join(names)} on {prepared.data.num_folds} folds of "
        f"{len(prepared.data.train):,} rows, for about {duration(seconds)} (strategy.minutes)"
    )
    course, metric = _Course(recipe, prepared, seconds), prepared.scorer.main
    for name in names:
        course.enter(name)
    say(f"auto: out of fold, {metric}:")
    for line in (*race_scores.table(course.entrants), *_simple_line(prepared)):
        say(line)
    best = course.leader
    if not best:  # whatever time it takes, an entrant runs to its end if none did before
        assert course.failure
        raise course.failure
    reason = race_scores.reason(course.entrants, best, metric, course.sign)
    say(f"auto: {best.name}; reason: {reason}")
    winner = _with_strategy(recipe, best.name, prepared.data.num_folds)
    chosen = on_rows_of(prepared, winner, test=True)
    return replace(chosen, reason=reason)


class _Course:
    """The folds that all entrants go through, and those who have."""

    def __init__(self, recipe: Recipe, prepared: Prepared, seconds: float) -> None:
        self.recipe, self.prepared = recipe, prepared
        self.started, self.seconds = time.monotonic(), seconds
        self.sign = 1 if prepared.scorer.greater_is_better else -1
        self.best_score = prepared.scorer.best_score(prepared.targets["train"])
        self.entrants: list[Entrant] = []
        self.failure: ModelError | None = None

    @property
    def leader(self) -> Entrant | None:
        """The best entrant so far; the first of equals."""
        finished = [entrant for entrant in self.entrants if entrant.score is not None]
        return max(finished, key=lambda entrant: self.sign * (entrant.score or 0.0), default=None)

    def enter(self, name: str) -> None:
        """Cross-validate a strategy for as long as it may win, and time is left.

        Beside one without a mistake none may win.

        One that diverges, or does not fit the model, is left out.
        """
        started = time.monotonic()
        # of equals the simplest is chosen: whatever the others would have, it is this one
        if self.leader and self.leader.score == self.best_score:
            self.entrants.append(Entrant(name, reason=f"{self.leader.name} makes no mistake"))
            return
        if self.leader and processes.from_main(lambda: self._is_late(0.0)):
            self.entrants.append(Entrant(name, reason=NO_TIME))
            return
        # all that is worth printing was printed of `auto`, whose data are the same
        with TemporaryDirectory() as folder, capture_stdout() as echo:
            recipe = _with_strategy(self.recipe, name, self.prepared.data.num_folds)
            prepared = on_rows_of(self.prepared, recipe, test=False)
            job = job_of(prepared, Path(folder))
            try:
                entrant = self._cross_validated(prepared.recipe.strategy, job, echo)
            except ModelError as error:
                entrant, self.failure = Entrant(name, reason=str(error)), error
        seconds = time.monotonic() - started
        self.entrants.append(replace(entrant, seconds=seconds))

    def _cross_validated(
        self, strategy: Strategy, job: Job, echo: Callable[[str], None]
    ) -> Entrant:
        """Train without one fold after the other, unless a strategy scores all folds by itself."""
        name = strategy.name
        if strategy.cross_validates:
            logits = strategy.fit(job).out_of_fold
            assert logits is not None
            outputs = {"logits": logits}
            return Entrant(name, job.fold_scores(outputs), job.main_score(outputs))
        validation = CrossValidation(strategy.fit, job)
        scores, by_row = [], Logits()
        started = time.monotonic()
        for number, fold in enumerate(validation.folds, 1):
            logits = validation.held_out(fold)
            by_row |= logits
            scores.append(validation.score(logits))
            echo(f"auto: {name}, fold {number} of {len(validation.folds)}: {scores[-1]:.4f}")
            if number == len(validation.folds):
                break
            reason = self._reason_to_stop(scores, time.monotonic() - started, len(validation.folds))
            if reason:
                stopped = Entrant(name, tuple(scores), reason=reason)
                return race_scores.clearly_ahead(stopped, self.leader, self.sign) or stopped
        return Entrant(name, tuple(scores), validation.score(by_row))

    def _reason_to_stop(self, scores: list[float], seconds: float, num_folds: int) -> str:
        """Say why the other folds are not worth it; empty if they are.

        All processes get the answer of the main one, by whose clock they train or do not.
        """
        leader = self.leader
        if leader is None:
            return ""
        if processes.from_main(lambda: self._is_too_late(scores, seconds, num_folds)):
            return NO_TIME
        # a training that is no better than one before is not worth the rest of its time
        trains = not registry.find("strategies", leader.name).cross_validates
        is_behind = race_scores.is_behind(scores, leader, self.sign, any_lead=trains)
        return f"behind {leader.name}" if is_behind else ""

    def _is_too_late(self, scores: list[float], seconds: float, num_folds: int) -> bool:
        """Return whether there is time neither for all other folds nor for the next one."""
        of_fold = seconds / len(scores)
        if not self._is_late(of_fold * (num_folds - len(scores)), MAX_OVERRUN):
            return False
        return self._is_late(of_fold, MAX_OVERRUN if len(scores) < MIN_FOLDS else 1.0)

    def _is_late(self, seconds: float, factor: float = 1.0) -> bool:
        """Return whether so many seconds more are over a multiple of the time that is allowed."""
        return time.monotonic() - self.started + seconds > factor * self.seconds


def _with_strategy(recipe: Recipe, name: str, num_folds: int) -> Recipe:
    """Name a strategy, and the folds: by itself it would be dealt none of so many rows."""
    data = recipe.data.replace(folds=num_folds)
    return recipe.replace(strategy=registry.find("strategies", name)(), data=data)


def _simple_line(prepared: Prepared) -> Iterator[str]:
    """Write how good a bag of words is, or what is as simple: it warns, and does not compete."""
    simple = simple_model.measure(prepared)
    scores = simple.scores.get("validation") if simple else None
    if simple and scores:
        score = f"{scores[prepared.scorer.main]:.4f}"
        yield f"  {simple.name:<14} {score:<16} {duration(simple.seconds):>8}, to compare with"
