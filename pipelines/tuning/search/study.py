"""The trials of a search, on disk: which values to try next, and the results (Optuna).

Each trial's draw follows from the seed, its number and the finished trials before it, so that an
interrupted search continues as it would have. The main process draws for all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from pipelines.core import processes
from pipelines.core.errors import RunError
from pipelines.report.run_folder import writing
from pipelines.tuning.search.request import differences
from pipelines.tuning.search.space import Point, Space

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
        path: the journal, which is created if it does not exist.
        identity: recipe and space as plain values.
        max_trials: the number of trials in total; fewer if the space has fewer points.
        greater: whether a greater score is better.

    Raises:
        RunError: the journal belongs to another recipe or space, or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        identity: dict[str, Any],
        space: Space,
        max_trials: int,
        *,
        seed: int,
        greater: bool,
    ) -> None:
        self.path, self.space, self.seed, self.greater = path, space, seed, greater
        self.grid = space.grid(max_trials)
        self.max_trials = max_trials if self.grid is None else len(self.grid)
        self.running: optuna.Trial | None = None
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

    def next_trial(self) -> SearchTrial:
        """Draw the next trial, and start it."""
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
        with writing(self.path):
            return processes.from_main(do)

    def _open(self, identity: dict[str, Any]) -> None:
        # Graft prints a line of its own for each trial
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(self.path))),
            study_name="search",
            direction="maximize" if self.greater else "minimize",
            # gives up what is below the median of earlier trials at the same percentage
            pruner=optuna.pruners.MedianPruner(n_warmup_steps=MIN_PRUNING_PERCENT),
            load_if_exists=True,
        )
        before = self.study.user_attrs.get("identity")
        if before not in (None, identity):
            changes = ", ".join(differences(before, identity))
            raise RunError(
                f"{self.path}: holds the trials of another search ({changes}); repeat the command "
                "of that search, set name=… for another folder, or remove this one"
            )
        self.study.set_user_attr("identity", identity)
        # a process that was killed could not end its trial
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._end(trial.number, TrialState.FAIL)

    def _next_trial(self) -> SearchTrial:
        """Draw until the values are new, or MAX_DUPLICATE_DRAWS times."""
        for draw in range(MAX_DUPLICATE_DRAWS):
            finished = self.finished
            self.running = self._draw(len(finished), draw)
            point = self.space.draw(self.running)
            texts = {d.name: d.values.text(value) for d, value in point}
            complete = [t for t in finished if t.state == TrialState.COMPLETE]
            # rounding makes different draws equal
            duplicates = [t.value for t in complete if t.user_attrs["texts"] == texts]
            if duplicates and draw < MAX_DUPLICATE_DRAWS - 1:
                self._drop()
                continue
            self.running.set_user_attr("number", len(finished) + 1)
            self.running.set_user_attr("texts", texts)
            score = duplicates[0] if duplicates else None
            return SearchTrial(len(finished) + 1, texts, score)
        raise AssertionError("the last draw is accepted")

    def _draw(self, number: int, draw: int) -> optuna.Trial:
        """Start the next point of a small space, or what a newly seeded sampler suggests."""
        if self.grid is not None:
            self.study.enqueue_trial(self._untried()[0])
        # the state of a sampler is not in the journal: a new one per trial makes draws repeatable
        seeds = np.random.SeedSequence([self.seed, number, draw]).generate_state(1)
        self.study.sampler = TPESampler(seed=int(seeds[0]))
        return self.study.ask()

    def _untried(self) -> list[dict[str, Any]]:
        tried = [trial.params for trial in self.finished]
        grid = map(_as_parameters, self.grid or ())
        return [parameters for parameters in grid if parameters not in tried]

    def _should_prune(self, score: float, percent: int) -> bool:
        assert self.running
        self.running.report(score, percent)
        return self.running.should_prune()

    def _record(self, state: TrialState, remark: str, score: float | None, seconds: float) -> None:
        assert self.running
        self.running.set_user_attr("remark", remark)
        self.running.set_user_attr("seconds", round(seconds, 1))
        # Optuna refuses the value of a failed trial, and has that of a pruned one
        value = score if state == TrialState.COMPLETE else None
        self._end(self.running, state, value)

    def _drop(self) -> None:
        assert self.running
        self._end(self.running, TrialState.FAIL)

    def _end(
        self, trial: optuna.Trial | int, state: TrialState, value: float | None = None
    ) -> None:
        self.study.tell(trial, value, state=state)


def _as_parameters(point: Point) -> dict[str, Any]:
    """Return a point in the form of Optuna's `params`."""
    return {dimension.name: value for dimension, value in point}
