"""The trials of a search, on disk: which values to try next, and the results (Optuna).

Each trial's draw follows from the seed, its number and the trials before it, so that an interrupted
search continues as it would have. The main process draws for all. Several workers may share the
trials: who begins first draws first.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from pipelines.core import processes
from pipelines.core.errors import RunError
from pipelines.tuning.search.draws import Draws, SearchTrial, free_number
from pipelines.tuning.search.request import differences
from pipelines.tuning.search.space import Space
from pipelines.tuning.search.storage import open_storage, shown, storing
from pipelines.tuning.search.workers import Roster, SignsOfLife

T = TypeVar("T")
P = ParamSpec("P")
MIN_PRUNING_PERCENT = 20  # of training; the scores before say little about the end
MAX_DUPLICATE_DRAWS = 10  # attempts before a duplicate of an earlier trial is accepted


def _on_main(
    method: Callable[Concatenate["Study", P], T],
) -> Callable[Concatenate["Study", P], T]:
    """Let the main process alone call a method; all have what it returns, or its error."""

    @wraps(method)
    def call(study: "Study", *arguments: P.args, **options: P.kwargs) -> T:
        def work() -> T:
            with storing(study.place):
                return method(study, *arguments, **options)

        return processes.from_main(work)

    return call


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
        self.greater = greater
        self.draws = Draws(space, max_trials, seed)
        self.max_trials = self.draws.max_trials
        self.running: optuna.Trial | None = None
        self.signs: SignsOfLife | None = None
        self.study: Any = None
        self._open(identity)

    @property
    def finished(self) -> list[FrozenTrial]:
        """The trials with a result; an interrupted one has none. Main process only."""
        return [t for t in self.study.get_trials(deepcopy=False) if "remark" in t.user_attrs]

    @property
    @_on_main
    def num_finished(self) -> int:
        """The number of trials with a result."""
        return len(self.finished)

    @property
    @_on_main
    def is_over(self) -> bool:
        """Whether all points of a small space, or as many trials as requested, were tried."""
        if self.draws.points is None:
            return len(self.finished) >= self.max_trials
        return not self.draws.untried(self.finished)

    @property
    def best(self) -> FrozenTrial | None:
        """The complete trial with the best score, the first of equals. Main process only."""
        complete = [t for t in self.finished if t.state == TrialState.COMPLETE]
        sign = 1 if self.greater else -1
        return max(complete, key=lambda t: sign * (t.value or 0), default=None)

    @_on_main
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

    @_on_main
    def next_trial(self) -> SearchTrial | None:
        """Draw the next trial, and start it; None while other workers run all that are left.

        It is drawn until its values are new, or MAX_DUPLICATE_DRAWS times.
        """
        for draw in range(MAX_DUPLICATE_DRAWS):
            if len(self.finished) + len(self.roster.under_way()) >= self.max_trials:
                return None
            self.running = self.study.ask()
            self.signs = SignsOfLife(self.running)
            before = self.roster.wait_for_turn(self.running)
            number = free_number([*self.finished, *before])
            if number > self.max_trials:  # others were faster
                self._end(TrialState.FAIL)
                return None
            taken = [*self.finished, *before]
            self.study.sampler = self.draws.sampler(number - 1, draw, taken)
            texts = {d.name: d.values.text(v) for d, v in self.space.draw(self.running)}
            # rounding makes different draws equal
            equal = [t for t in (*self.finished, *before) if t.user_attrs["texts"] == texts]
            if equal and draw < MAX_DUPLICATE_DRAWS - 1:
                self._end(TrialState.FAIL)
                continue
            self.running.set_user_attr("number", number)
            self.running.set_user_attr("texts", texts)
            scores = [t.value for t in equal if t.state == TrialState.COMPLETE]
            return SearchTrial(number, texts, scores[0] if scores else None)
        raise AssertionError("the last draw is accepted")

    @_on_main
    def should_prune(self, score: float, percent: int) -> bool:
        """Record an intermediate score, and return whether to give up the running trial.

        Args:
            percent: the share of the training that is done.
        """
        assert self.running
        self.running.report(score, percent)
        return self.running.should_prune()

    @_on_main
    def record(
        self, state: TrialState, remark: str, score: float | None = None, seconds: float = 0
    ) -> None:
        """Record the result of the running trial.

        Args:
            remark: what the table shows beside the score, such as "diverged"; may be empty.
        """
        assert self.running
        # another worker may have taken this one for lost, and tries its values again
        with suppress(UpdateFinishedTrialError):
            self.running.set_user_attr("remark", remark)
            self.running.set_user_attr("seconds", round(seconds, 1))
        # Optuna refuses the value of a failed trial, and has that of a pruned one
        self._end(state, score if state == TrialState.COMPLETE else None)

    @_on_main
    def drop(self) -> None:
        """End the running trial without a result: the same values are drawn again next time."""
        self._end(TrialState.FAIL)

    def _end(self, state: TrialState, value: float | None = None) -> None:
        assert self.running
        assert self.signs
        self.signs.end()
        with suppress(UpdateFinishedTrialError):
            self.study.tell(self.running, value, state=state, skip_if_finished=True)
