"""Running trials one after the other, until there are enough or the time is up."""

import time
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from optuna import TrialPruned
from optuna.trial import TrialState
from transformers import TrainerCallback

from pipelines.core import console, hardware, processes
from pipelines.core.console import say, wrapped
from pipelines.core.errors import DivergedError, GraftError, Interrupted
from pipelines.recipe import Recipe
from pipelines.tuning.search import outcome
from pipelines.tuning.search.draws import SearchTrial
from pipelines.tuning.search.request import SearchRequest
from pipelines.tuning.search.study import Study
from pipelines.workflow.prepare import prepare
from pipelines.workflow.rehearsal import rehearse
from pipelines.workflow.resume import runs_folder
from pipelines.workflow.trial import trial as run_trial

WAITING_SECONDS = 2.0  # between two looks at the trials of other workers
COMPLETE, PRUNED, FAILED = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def run(request: SearchRequest, built: Sequence[Recipe]) -> None:
    """Continue a search up to `max_trials`; print each trial and report the best.

    Args:
        built: the recipe at the ends of the space.

    Raises:
        GraftError: recipe, data or checkpoint are wrong, in a trial or before the first.
        Interrupted: on a signal; all finished trials are on disk.
    """
    first, *others = map(request.comparable, built)
    metric, baseline, greater = _score_baseline(first)
    rehearse(((f"model={recipe.model.checkpoint}", recipe) for recipe in others), first)
    folder = Path(runs_folder(first)) / f"{first.name}_search"
    study = Study(
        request.storage or str(folder / "study.log"),
        # a journal of its own holds one study; others are told apart by the recipe's name
        first.name if request.storage else "search",
        request.identity,
        request.space,
        request.max_trials,
        seed=first.seed,
        greater=greater,
    )
    _announce(request, study, folder, f"baseline {metric} {baseline:.4f}")
    _run_remaining(request, study, folder, metric)
    # only the main process holds the study
    if processes.is_main():
        outcome.report(study, request, folder, metric, baseline)
    processes.wait()


def _score_baseline(recipe: Recipe) -> tuple[str, float, bool]:
    """Prepare a recipe, so that mistakes in it are refused before a study is made.

    Returns:
        The metric to optimize, the baseline's score, and whether a greater score is better.
    """
    prepared = prepare(recipe, test=False)
    for finding in prepared.findings.findings():
        say(wrapped(f"data: {finding}"))
    scorer, targets = prepared.scorer, prepared.targets
    score = scorer.baseline(targets["train"], targets["validation"])[scorer.main]
    return scorer.main, score, scorer.greater_is_better


def _announce(request: SearchRequest, study: Study, folder: Path, baseline: str) -> None:
    for note in request.space.notes():
        say(note)
    extent = "all" if study.draws.points else "at most"
    keys = ", ".join(dimension.name for dimension in request.space.dimensions)
    say(f"{folder}: {extent} {study.max_trials} trials of {keys}; {baseline}")
    before = study.num_finished
    if before:
        say(f"{before} of them are done")


def _run_remaining(request: SearchRequest, study: Study, folder: Path, metric: str) -> None:
    started, is_waiting = time.monotonic(), False
    while not study.is_over:
        # clocks of processes differ: the main one decides, or some would wait for a trial forever
        if processes.from_main(lambda: time.monotonic() - started > request.timeout):
            say(f"{request.timeout:g} s are over: no new trial is started (--timeout)")
            return
        trial = study.next_trial()
        if trial is None:
            if not is_waiting:
                say("other workers run the trials that are left: waiting for them")
            is_waiting = True
            time.sleep(WAITING_SECONDS)
            continue
        say(f"trial {trial.number} of {study.max_trials}  {trial}")
        if trial.duplicate_score is not None:
            # the same seed and values would give the same score
            study.record(COMPLETE, "as before", trial.duplicate_score)
            say(f"    {metric} {trial.duplicate_score:.4f}, as before")
            continue
        try:
            _run_trial(request, study, trial, folder, metric)
        except (Interrupted, KeyboardInterrupt) as stop:
            study.drop()
            reason = str(stop) or "interrupted"
            raise Interrupted(f"{reason}; to go on, run the same command again") from None
        except GraftError as error:
            study.drop()
            # callers distinguish errors by their class
            raise type(error)(f"trial {trial.number} ({trial}): {error}") from error
        finally:
            hardware.free_memory()


def _run_trial(
    request: SearchRequest, study: Study, trial: SearchTrial, folder: Path, metric: str
) -> None:
    """Run a trial and record its result; divergence and a full GPU are results, too."""
    started, state, remark, score = time.monotonic(), FAILED, "", None
    try:
        with (
            # beside the study: /tmp may be too small for checkpoints
            processes.temporary_folder(folder, "trial_") as checkpoints,
            console.capture_stdout() as echo,
        ):
            pruning = PruningCallback(study, metric, echo)
            recipe = request.recipe(trial.texts)
            score = run_trial(recipe, checkpoints, (pruning,))[metric]
    except TrialPruned as pruned:
        state, remark = PRUNED, str(pruned)
    except DivergedError:
        remark = "diverged"
    # a search over batch sizes must survive one that is too large
    except torch.OutOfMemoryError:
        remark = "out of memory"
    else:
        state, remark = (COMPLETE, "") if isfinite(score) else (FAILED, f"{metric} is {score}")
    seconds = time.monotonic() - started
    study.record(state, remark, score, seconds)
    say(f"    {remark or f'{metric} {score:.4f}'}  {seconds:.1f} s")


class PruningCallback(TrainerCallback):
    """Reports each evaluation to the study, and stops the trial if the study gives it up."""

    def __init__(self, study: Study, metric: str, echo: Callable[[str], None]) -> None:
        self.study, self.metric, self.echo = study, metric, echo

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any
    ) -> None:
        """Report the score.

        Raises:
            TrialPruned: the score is worse than the median of earlier trials at this point.
        """
        score, percent = metrics[f"eval_{self.metric}"], 100 * state.global_step // state.max_steps
        # after the last step the trial is over, and its own score counts
        if percent < 100 and isfinite(score):
            if self.study.should_prune(score, percent):
                raise TrialPruned(f"pruned at {percent} %: {self.metric} {score:.4f}")
            self.echo(f"    {percent} %: {self.metric} {score:.4f}")
