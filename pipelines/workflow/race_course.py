"""The folds that entrants of a comparison go through, and how far each of them comes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.core import processes, registry
from pipelines.core.console import capture_stdout, say
from pipelines.core.errors import ModelError
from pipelines.recipe import Recipe
from pipelines.strategies import Strategy
from pipelines.strategies.choosing.comparable import MIN_FOLDS
from pipelines.training.cross_validation import CrossValidation
from pipelines.training.job import Job
from pipelines.workflow import race_scores
from pipelines.workflow.out_of_fold import OutOfFold
from pipelines.workflow.prepare import on_rows_of
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.race_scores import NO_TIME, Entrant
from pipelines.workflow.train import job_of

# times what is allowed, before an entrant is stopped that could still go through all folds: beside
# other work on the machine it takes longer than was estimated
MAX_OVERRUN = 2.0


@dataclass(frozen=True)
class Standing:
    """How far an entrant has come, and in how many seconds."""

    answers: OutOfFold
    seconds: float
    num_folds: int


ReasonToStop = Callable[[Standing], str]  # empty: there is none


class Course:
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
        """
        # of equals the simplest is chosen: whatever the others would have, it is this one
        if self.leader and self.leader.score == self.best_score:
            self.entrants.append(Entrant(name, reason=f"{self.leader.name} makes no mistake"))
            return
        if self.leader and processes.from_main(lambda: self._is_late(0.0)):
            self.entrants.append(Entrant(name, reason=NO_TIME))
            return
        self.entrants.append(self._run(name, self._reason_to_stop))

    def give_time(self) -> None:
        """Let those that time did not suffice for go on where they are clearly ahead.

        One that turns out to be the best would go through the other folds in its run anyway.
        """
        while self.leader and (
            late := race_scores.worth_the_time(self.entrants, self.leader, self.sign)
        ):
            say(
                f"auto: {late.name} is ahead of {self.leader.name} on {len(late.answers or ())} "
                "folds, as no time is left: the others decide"
            )
            place = self.entrants.index(late)
            run = self._run(late.name, lambda _: "")
            self.entrants[place] = replace(run, seconds=late.seconds + run.seconds)

    def _run(self, name: str, reason_to_stop: ReasonToStop) -> Entrant:
        """Cross-validate a strategy; one that diverges, or does not fit the model, is left out."""
        started = time.monotonic()
        # all that is worth printing was printed of `auto`, whose data are the same
        with TemporaryDirectory() as folder, capture_stdout() as echo:
            recipe = with_strategy(self.recipe, name, self.prepared.data.num_folds)
            prepared = on_rows_of(self.prepared, recipe, test=False)
            job = job_of(prepared, Path(folder))
            try:
                strategy = prepared.recipe.strategy
                entrant = self._cross_validated(strategy, job, echo, reason_to_stop)
            except ModelError as error:
                entrant, self.failure = Entrant(name, reason=str(error)), error
        return replace(entrant, seconds=time.monotonic() - started)

    def _cross_validated(
        self,
        strategy: Strategy,
        job: Job,
        echo: Callable[[str], None],
        reason_to_stop: ReasonToStop,
    ) -> Entrant:
        """Train without one fold after the other, unless a strategy scores all folds by itself."""
        name, validation = strategy.name, CrossValidation(strategy.fit, job)
        answers, num_folds = OutOfFold(validation.score), len(validation.folds)
        if strategy.cross_validates:
            logits = strategy.fit(job).out_of_fold
            assert logits is not None
            for fold in validation.folds:
                rows = validation.rows_of(fold).tolist()
                answers = answers.and_fold({row: logits[row] for row in rows})
            return Entrant(name, answers)
        started = time.monotonic()
        for number, fold in enumerate(validation.folds, 1):
            answers = answers.and_fold(validation.held_out(fold))
            echo(f"auto: {name}, {number} of {num_folds} folds: {answers.score:.4f}")
            if number == num_folds:
                break
            reason = reason_to_stop(Standing(answers, time.monotonic() - started, num_folds))
            if reason:
                return Entrant(name, answers, reason=reason)
        return Entrant(name, answers)

    def _reason_to_stop(self, standing: Standing) -> str:
        """Say why the other folds are not worth it; empty if they are.

        All processes get the answer of the main one, by whose clock they train or do not.
        """
        leader = self.leader
        if leader is None:
            return ""
        if processes.from_main(lambda: self._is_too_late(standing)):
            return NO_TIME
        # a training that is no better than one before is not worth the rest of its time
        trains = not registry.find("strategies", leader.name).cross_validates
        is_behind = race_scores.is_behind(standing.answers, leader, self.sign, any_lead=trains)
        return f"behind {leader.name}" if is_behind else ""

    def _is_too_late(self, standing: Standing) -> bool:
        """Return whether there is time neither for all other folds nor for the next one."""
        num_done = len(standing.answers)
        of_fold = standing.seconds / num_done
        if not self._is_late(of_fold * (standing.num_folds - num_done), MAX_OVERRUN):
            return False
        return self._is_late(of_fold, MAX_OVERRUN if num_done < MIN_FOLDS else 1.0)

    def _is_late(self, seconds: float, factor: float = 1.0) -> bool:
        """Return whether so many seconds more are over a multiple of the time that is allowed."""
        return time.monotonic() - self.started + seconds > factor * self.seconds


def with_strategy(recipe: Recipe, name: str, num_folds: int) -> Recipe:
    """Name a strategy, and the folds: by itself it would be dealt none of so many rows."""
    data = recipe.data.replace(folds=num_folds)
    return recipe.replace(strategy=registry.find("strategies", name)(), data=data)
