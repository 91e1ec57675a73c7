"""The trials of a search, on disk: what to try next, and what came of it (Optuna).

Each trial's draw follows from the seed, its number and the finished trials before it, so that a
search that was interrupted goes on as it would have. The main process draws for all.
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

from pipelines.core import console
from pipelines.core.errors import RunError
from pipelines.report.run_folder import writing
from pipelines.tuning.search.space import Space

T = TypeVar("T")
EARLY = 20  # percent of training in which no trial is given up
DRAWS = 10  # until a trial may be one of before again


@dataclass(frozen=True)
class Trial:
    """A trial as all processes know it.

    Attributes:
        texts: dimension -> what would be typed for it.
        same: the score of an earlier trial of the same values.
    """

    number: int
    texts: dict[str, str]
    same: float | None = None

    def __str__(self) -> str:
        return "  ".join(f"{name.partition(' ')[0]}={text}" for name, text in self.texts.items())


class Study:
    """The trials of one recipe on one space.

    Args:
        path: the journal; made where it is not there.
        asked: recipe and space in plain values; a study of others is not gone on with.
        most: how many trials there are to be in total.

    Raises:
        RunError: the journal is of another recipe or space, or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        asked: dict[str, Any],
        space: Space,
        most: int,
        *,
        seed: int,
        greater: bool,
    ) -> None:
        self.path, self.space, self.seed, self.greater = path, space, seed, greater
        self.grid = space.grid(most)
        self.most = most if self.grid is None else len(self.grid)
        self.running: optuna.Trial | None = None
        self.study: Any = None
        self._on_main(lambda: self._open(asked))

    @property
    def finished(self) -> list[FrozenTrial]:
        """What counts; an interrupted trial does not. Main process only."""
        return [t for t in self.study.get_trials(deepcopy=False) if "why" in t.user_attrs]

    @property
    def num_finished(self) -> int:
        """How many trials count."""
        return self._on_main(lambda: len(self.finished))

    @property
    def is_over(self) -> bool:
        """Whether every point of few was tried, or as many as there were to be."""
        return self._on_main(
            lambda: len(self.finished) >= self.most if self.grid is None else not self._untried()
        )

    def ask(self) -> Trial:
        """The next trial."""
        return self._on_main(self._ask)

    def report(self, score: float, percent: int) -> bool:
        """Whether the trial that runs should be given up, `percent` of its training done."""
        return self._on_main(lambda: self._report(score, percent))

    def tell(
        self, state: TrialState, why: str, score: float | None = None, seconds: float = 0
    ) -> None:
        """What came of the trial."""
        self._on_main(lambda: self._tell(state, why, score, seconds))

    def drop(self) -> None:
        """The trial does not count: it is drawn again next time."""
        self._on_main(self._drop)

    @property
    def best(self) -> FrozenTrial | None:
        """The complete trial with the best score, the first of equals. Main process only."""
        complete = [t for t in self.finished if t.state == TrialState.COMPLETE]
        sign = 1 if self.greater else -1
        return max(complete, key=lambda t: sign * (t.value or 0), default=None)

    def _on_main(self, do: Callable[[], T]) -> T:
        with writing(self.path):
            return console.from_main(do)

    def _open(self, asked: dict[str, Any]) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(self.path))),
            study_name="search",
            direction="maximize" if self.greater else "minimize",
            pruner=optuna.pruners.MedianPruner(n_warmup_steps=EARLY),
            load_if_exists=True,
        )
        before = self.study.user_attrs.get("asked")
        if before not in (None, asked):
            told = ", ".join(_differences(before, asked))
            raise RunError(
                f"{self.path}: holds the trials of another search ({told}); go on with that one, "
                "say name=… for another folder, or remove this one"
            )
        self.study.set_user_attr("asked", asked)
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)  # was killed

    def _ask(self) -> Trial:
        """A trial that was not there before, if one is drawn in a few draws."""
        for draw in range(DRAWS):
            finished = self.finished
            self.running = self._drawn(len(finished), draw)
            point = self.space.draw(self.running)
            texts = {d.name: d.values.text(value) for d, value in point}
            complete = [t for t in finished if t.state == TrialState.COMPLETE]
            same = [t.value for t in complete if t.user_attrs["texts"] == texts]
            if same and draw < DRAWS - 1:
                self._drop()
                continue
            self.running.set_user_attr("number", len(finished) + 1)
            self.running.set_user_attr("texts", texts)
            return Trial(len(finished) + 1, texts, same[0] if same else None)
        raise AssertionError("the last draw is taken")

    def _drawn(self, number: int, draw: int) -> optuna.Trial:
        """Of few points the next one; else what a sampler says that is made anew each time."""
        if self.grid is not None:
            self.study.enqueue_trial(self._untried()[0])
        seeds = np.random.SeedSequence([self.seed, number, draw]).generate_state(1)
        self.study.sampler = TPESampler(seed=int(seeds[0]))
        return self.study.ask()

    def _untried(self) -> list[dict[str, Any]]:
        points = [{d.name: value for d, value in point} for point in self.grid or ()]
        tried = [trial.params for trial in self.finished]
        return [point for point in points if point not in tried]

    def _report(self, score: float, percent: int) -> bool:
        assert self.running
        self.running.report(score, percent)
        return self.running.should_prune()

    def _tell(self, state: TrialState, why: str, score: float | None, seconds: float) -> None:
        assert self.running
        self.running.set_user_attr("why", why)
        self.running.set_user_attr("seconds", round(seconds, 1))
        value = score if state == TrialState.COMPLETE else None
        self.study.tell(self.running, value, state=state)

    def _drop(self) -> None:
        assert self.running
        self.study.tell(self.running, state=TrialState.FAIL)


def _differences(one: Any, other: Any, path: str = "") -> list[str]:
    """The keys whose values differ."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [f"{path}: {one} is now {other}"]
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    return [
        told
        for key in keys
        for told in _differences(one.get(key), other.get(key), f"{path}.{key}".lstrip("."))
    ]
