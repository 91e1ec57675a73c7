"""Workers that share a study: whose trials are under way, and whose turn it is to draw."""

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import psutil
from optuna import Study, Trial
from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

BEAT_SECONDS = 20.0  # between two signs of life of a worker
MAX_SILENCE = 120.0  # seconds without a sign, after which a worker is taken for lost
POLL_SECONDS = 0.1


class SignsOfLife:
    """A thread that notes in a trial, from time to time, that its worker is alive."""

    def __init__(self, trial: Trial) -> None:
        self.trial, self.ended = trial, threading.Event()
        trial.set_user_attr("worker", _worker())
        self._beat()
        threading.Thread(target=self._run, daemon=True).start()

    def end(self) -> None:
        """Stop it."""
        self.ended.set()

    def _run(self) -> None:
        while not self.ended.wait(BEAT_SECONDS):
            # a storage that is away for a while does not end a trial
            with suppress(OptunaError, OSError, RuntimeError):
                self._beat()

    def _beat(self) -> None:
        self.trial.set_user_attr("seen", time.time())


class Roster:
    """The trials of a study that workers are running.

    A worker is lost when its process is gone, if it was on this machine, or when it gave no sign of
    life for as long as this process watches: clocks of machines may differ.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.observed: dict[int, tuple[Any, float]] = {}  # trial -> its last sign, and when it came

    def under_way(self) -> list[FrozenTrial]:
        """List the trials that some worker is running; those of lost workers are ended first."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        lost = [trial for trial in running if self._is_lost(trial)]
        for trial in lost:
            # another worker may end it at the same moment
            with suppress(UpdateFinishedTrialError):
                self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        return [trial for trial in running if trial not in lost]

    def wait_for_turn(self, trial: Trial) -> list[FrozenTrial]:
        """Wait until every worker that began before this one has drawn its values.

        So each draw follows from all before it, no two workers draw the same, and no storage needs
        a lock.

        Returns:
            The trials under way that began before `trial`.
        """
        while True:
            before = [each for each in self.under_way() if each.number < trial.number]
            if all("texts" in each.user_attrs for each in before):
                return before
            time.sleep(POLL_SECONDS)

    def _is_lost(self, trial: FrozenTrial) -> bool:
        worker: Any = trial.user_attrs.get("worker")
        if worker and worker[0] == _worker()[0] and not psutil.pid_exists(worker[1]):
            return True
        sign, now = trial.user_attrs.get("seen"), time.monotonic()
        before, since = self.observed.get(trial.number, (sign, now))
        since = since if before == sign else now
        self.observed[trial.number] = (sign, since)
        return now - since > MAX_SILENCE


def _worker() -> tuple[str, int]:
    """Return where this process runs, and its number there."""
    place = socket.gethostname()
    with suppress(OSError):  # containers count processes for themselves; Linux only
        place += f" {os.stat('/proc/self/ns/pid').st_ino}"
    return place, os.getpid()
