"""A worker of a search without training: python search_worker.py STORAGE SPACE TRIALS [hang]

A trial's score is the number of characters of its values, and takes a moment. With `hang`, the
worker draws one trial, says so, and never ends it.
"""

import os
import sys
import time

from optuna.trial import TrialState

from pipelines.core.errors import GraftError
from pipelines.tuning.search import space_reader
from pipelines.tuning.search.study import Study


def work(storage: str, space: str, max_trials: int, *, hangs: bool) -> None:
    """Run trials until all are done."""
    searched = space_reader.load([space])
    identity = {"space": space}
    study = Study(storage, "worked", identity, searched, max_trials, seed=0, greater=True)
    print("open", os.getpid(), flush=True)
    while not study.is_over:
        trial = study.next_trial()
        if trial is None:
            time.sleep(0.05)
            continue
        print("trial", trial.number, str(trial), flush=True)
        time.sleep(600 if hangs else 0.02)
        study.record(TrialState.COMPLETE, "", float(len(str(trial))), 0.02)


if __name__ == "__main__":
    try:
        work(*sys.argv[1:3], int(sys.argv[3]), hangs="hang" in sys.argv)
    except GraftError as error:
        sys.exit(f"error: {error}")
