"""The trials of a search, on disk: which values to try next, and the results (Optuna).

Each trial's draw follows from the seed, its number and the trials before it, so that an interrupted
search continues as it would have. The main process draws for all. Several workers may share the
trials: who begins first draws first.
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.samplers import BaseSampler, PartialFixedSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from pipelines.core import processes
from pipelines.core.errors import RunError
from pipelines.tuning.search.request import differences
from pipelines.tuning.search.space import Point, Space
from pipelines.tuning.search.storage import open_storage, shown, storing
from pipelines.tuning.search.workers import Roster, SignsOfLife

T = TypeVar("T")
MIN_PRUNING_PERCENT = 20  # of training; the scores before say little about the end
MAX_DUPLICATE_DRAWS = 10  # attempts before a duplicate of an earlier trial is accepted


@dataclass(frozen=True)
class SearchTrial:
    """A trial as all processes know it.

    Attributes:
        texts: dimension -> value, as it would be typed.
        duplicate_score: the score of an earlier trial with the same values; None without one.
    """

    number: int
    texts: dict[str, str]
    duplicate_score: float | None = None

    def __str__(self) -> str:
        return "  ".join(f"{name.partition(' ')[0]}={text}" for name, text in self.texts.items())


class Study:
    """The trials of one recipe in one space.

    Args:
        place: the storage: a journal, which is created if it does not exist, or a database's URL.
        name: of the study in the storage.
        identity: recipe and space as plain values.
        max_trials: the number of trials in total; fewer if the space has fewer points.
        greater: whether a greater score is better.

    Raises:
        RunError: the journal belongs to another recipe or space, or cannot be written.
    """

    def __init__(
        self,
        place: str,
        name: str,
        identity: dict[str, Any],
        space: Space,
        max_trials: int,
        *,
        seed: int,
        greater: bool,
    ) -> None:
        self.place, self.name, self.space = place, name, space
        self.seed, self.greater = seed, greater
        self.grid = space.grid(max_trials)
        self.max_trials = max_trials if self.grid is None else len(self.grid)
        self.running: optuna.Trial | None = None
        self.signs: SignsOfLife | None = None
        self.study: Any = None
        self._on_main(lambda: self._open(identity))

    @property
    def finished(self) -> list[FrozenTrial]:
        """The trials with a result; an interrupted one has none. Main process only."""
        return [t for t in self.study.get_trials(deepcopy=False) if "remark" in t.user_attrs]

    @property
    def num_finished(self) -> int:
        """The number of trials with a result."""
        return self._on_main(lambda: len(self.finished))

    @property
    def is_over(self) -> bool:
        """Whether all points of a small space, or as many trials as requested, were tried."""
        return self._on_main(
            lambda: (
                len(self.finished) >= self.max_trials if self.grid is None else not self._untried()
            )
        )

    def next_trial(self) -> SearchTrial | None:
        """Draw the next trial, and start it; None while other workers run all that are left."""
        return self._on_main(self._next_trial)

    def should_prune(self, score: float, percent: int) -> bool:
        """Record an intermediate score, and return whether to give up the running trial.

        Args:
            percent: the share of the training that is done.
        """
        return self._on_main(lambda: self._should_prune(score, percent))

    def record(
        self, state: TrialState, remark: str, score: float | None = None, seconds: float = 0
    ) -> None:
        """Record the result of the running trial.

        Args:
            remark: what the table shows beside the score, such as "diverged"; may be empty.
        """
        self._on_main(lambda: self._record(state, remark, score, seconds))

    def drop(self) -> None:
        """End the running trial without a result: the same values are drawn again next time."""
        self._on_main(self._drop)

    @property
    def best(self) -> FrozenTrial | None:
        """The complete trial with the best score, the first of equals. Main process only."""
        complete = [t for t in self.finished if t.state == TrialState.COMPLETE]
        sign = 1 if self.greater else -1
        return max(complete, key=lambda t: sign * (t.value or 0), default=None)

    def _on_main(self, do: Callable[[], T]) -> T:
        def work() -> T:
            with storing(self.place):
                return do()

        return processes.from_main(work)

    def _open(self, identity: dict[str, Any]) -> None:
        # Graft prints a line of its own for each trial
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(
            storage=open_storage(self.place),
            study_name=self.name,
            direction="maximize" if self.greater else "minimize",
            # gives up what is below the median of earlier trials at the same percentage
            pruner=optuna.pruners.MedianPruner(n_warmup_steps=MIN_PRUNING_PERCENT),
            load_if_exists=True,
        )
        self.roster = Roster(self.study)
        before = self.study.user_attrs.get("identity")
        if before not in (None, identity):
            changes = ", ".join(differences(before, identity))
            raise RunError(
                f"{shown(self.place)}: holds the trials of another search ({changes}); repeat the "
                "command of that search, set name=… for another folder, or remove this one"
            )
        self.study.set_user_attr("identity", identity)

    def _next_trial(self) -> SearchTrial | None:
        """Draw until the values are new, or MAX_DUPLICATE_DRAWS times."""
        for draw in range(MAX_DUPLICATE_DRAWS):
            if len(self.finished) + len(self.roster.under_way()) >= self.max_trials:
                return None
            self.running = self.study.ask()
            self.signs = SignsOfLife(self.running)
            before = self.roster.wait_for_turn(self.running)
            number = _free_number([*self.finished, *before])
            if number > self.max_trials:  # others were faster
                self._drop()
                return None
            self.study.sampler = self._sampler(number - 1, draw, before)
            texts = {d.name: d.values.text(v) for d, v in self.space.draw(self.running)}
            # rounding makes different draws equal
            equal = [t for t in (*self.finished, *before) if t.user_attrs["texts"] == texts]
            if equal and draw < MAX_DUPLICATE_DRAWS - 1:
                self._drop()
                continue
            self.running.set_user_attr("number", number)
            self.running.set_user_attr("texts", texts)
            scores = [t.value for t in equal if t.state == TrialState.COMPLETE]
            return SearchTrial(number, texts, scores[0] if scores else None)
        raise AssertionError("the last draw is accepted")

    def _sampler(self, number: int, draw: int, before: list[FrozenTrial]) -> BaseSampler:
        """Seed a sampler anew, or fix it at the next point of a small space.

        Args:
            before: trials under way, whose points are taken.
        """
        # the state of a sampler is not in the storage: a new one per trial makes draws repeatable
        seeds = np.random.SeedSequence([self.seed, number, draw]).generate_state(1)
        sampler = TPESampler(seed=int(seeds[0]))
        if self.grid is None:
            return sampler
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            return PartialFixedSampler(self._untried(before)[0], sampler)

    def _untried(self, before: Sequence[FrozenTrial] = ()) -> list[dict[str, Any]]:
        tried = [trial.params for trial in (*self.finished, *before)]
        grid = map(_as_parameters, self.grid or ())
        return [parameters for parameters in grid if parameters not in tried]

    def _should_prune(self, score: float, percent: int) -> bool:
        assert self.running
        self.running.report(score, percent)
        return self.running.should_prune()

    def _record(self, state: TrialState, remark: str, score: float | None, seconds: float) -> None:
        assert self.running
        # another worker may have taken this one for lost, and tries its values again
        with suppress(UpdateFinishedTrialError):
            self.running.set_user_attr("remark", remark)
            self.running.set_user_attr("seconds", round(seconds, 1))
        # Optuna refuses the value of a failed trial, and has that of a pruned one
        self._end(state, score if state == TrialState.COMPLETE else None)

    def _drop(self) -> None:
        self._end(TrialState.FAIL)

    def _end(self, state: TrialState, value: float | None = None) -> None:
        assert self.running
        assert self.signs
        self.signs.end()
        with suppress(UpdateFinishedTrialError):
            self.study.tell(self.running, value, state=state, skip_if_finished=True)


def _free_number(trials: Sequence[FrozenTrial]) -> int:
    """Return the first number, from 1, that no trial has: that of a lost one is free again."""
    numbers = {trial.user_attrs["number"] for trial in trials}
    return next(number for number in count(1) if number not in numbers)


def _as_parameters(point: Point) -> dict[str, Any]:
    """Return a point in the form of Optuna's `params`."""
    return {dimension.name: value for dimension, value in point}
