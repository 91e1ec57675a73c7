"""One trial after the other, until there are enough or the time is up."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from optuna import TrialPruned
from optuna.trial import TrialState
from transformers import TrainerCallback

from pipelines import recipe
from pipelines.core import console
from pipelines.core.console import say
from pipelines.core.errors import DivergedError, GraftError, Interrupted
from pipelines.recipe import Recipe
from pipelines.recipe.document import Override
from pipelines.report.privacy import without_tokens
from pipelines.tuning.search import outcome
from pipelines.tuning.search.space import Space, overrides
from pipelines.tuning.search.study import Study, Trial
from pipelines.workflow import run as pipeline

if TYPE_CHECKING:
    from pipelines.evaluation.scorer import Scorer

COMPLETE, PRUNED, FAILED = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


@dataclass(frozen=True)
class Search:
    """What was asked for.

    Attributes:
        path: of the recipe.
        said: overrides of the recipe that hold for all trials.
        most: trials in total, those of before included.
        timeout: seconds after which no new trial starts.
    """

    path: str
    said: tuple[str, ...]
    space: Space
    most: int
    timeout: float

    def recipe(self, trial: Trial) -> Recipe:
        """The recipe of a trial."""
        return recipe.load(self.path, [*self.said, *self.overrides(trial.texts)])

    def overrides(self, texts: dict[str, str]) -> list[Override]:
        """What a trial says over the recipe."""
        return overrides((d, texts[d.name]) for d in self.space.dimensions if d.name in texts)

    @property
    def asked(self) -> dict[str, Any]:
        """Recipe and space in plain values: trials of others are not compared with these."""
        values = dict(recipe.read(self.path, self.said).values)
        values.pop("hub", None)
        space = {d.name: str(d.values) for d in self.space.dimensions}
        return {"recipe": without_tokens(values), "space": space}


def run(search: Search, first: Recipe) -> None:
    """Go on to so many trials in total; say and write down what they come to.

    Args:
        first: the recipe at some point of the space.

    Raises:
        GraftError: recipe, data or checkpoint are wrong, in a trial or before the first.
        Interrupted: on a signal; all finished trials are on disk.
    """
    prepared = pipeline.prepare(first, test=False)  # refused before there is a study
    for warning in prepared.findings.warnings():
        say(f"data: {warning}")
    scorer, task, targets = prepared.scorer, first.task, prepared.targets
    constant = task.baseline(targets["train"], targets["validation"], prepared.data.labels)
    baseline = scorer(constant, targets["validation"])[scorer.main]
    del prepared
    folder = Path(pipeline.root(first)) / f"{first.name}_search"
    greater = scorer.greater_is_better
    path, seed = folder / "study.log", first.seed
    study = Study(path, search.asked, search.space, search.most, seed=seed, greater=greater)
    _tell(search, study, folder, scorer, baseline)
    _until_enough(search, study, folder, scorer)
    if console.is_main():
        outcome.tell(study, search, folder, scorer.main, baseline)
    console.wait()


def _tell(search: Search, study: Study, folder: Path, scorer: "Scorer", baseline: float) -> None:
    for note in search.space.notes():
        say(note)
    among = "all" if study.grid else "at most"
    keys = ", ".join(dimension.name for dimension in search.space.dimensions)
    say(f"{folder}: {among} {study.most} trials of {keys}; floor {scorer.main} {baseline:.4f}")
    before = study.num_finished
    if before:
        say(f"{before} of them are done")


def _until_enough(search: Search, study: Study, folder: Path, scorer: "Scorer") -> None:
    started = time.monotonic()
    while not study.is_over:
        if console.from_main(lambda: time.monotonic() - started > search.timeout):
            say(f"{search.timeout:g} s are over: no new trial (--timeout)")
            return
        trial = study.ask()
        say(f"trial {trial.number} of {study.most}  {trial}")
        if trial.same is not None:
            study.tell(COMPLETE, "as before", trial.same)
            say(f"    {scorer.main} {trial.same:.4f}, as before")
            continue
        try:
            _try(search, study, trial, folder, scorer)
        except (Interrupted, KeyboardInterrupt) as stop:
            study.drop()
            told = str(stop) or "interrupted"
            raise Interrupted(f"{told}; to go on, run the same command again") from None
        except GraftError as error:
            study.drop()
            raise type(error)(f"trial {trial.number} ({trial}): {error}") from error
        finally:
            _release()


def _try(search: Search, study: Study, trial: Trial, folder: Path, scorer: "Scorer") -> None:
    """Run a trial, and write down what came of it."""
    started, state, why, score = time.monotonic(), FAILED, "", None
    try:
        with (
            TemporaryDirectory(dir=folder, prefix="trial_") as place,
            console.capture_stdout() as tell,
        ):
            watch = PruningCallback(study, scorer.main, tell)
            score = pipeline.trial(search.recipe(trial), Path(place), (watch,))[scorer.main]
    except TrialPruned as pruned:
        state, why = PRUNED, str(pruned)
    except DivergedError:
        why = "diverged"
    except torch.OutOfMemoryError:
        why = "out of memory"
    else:
        state, why = (COMPLETE, "") if isfinite(score) else (FAILED, f"{scorer.main} is {score}")
    seconds = time.monotonic() - started
    study.tell(state, why, score, seconds)
    say(f"    {why or f'{scorer.main} {score:.4f}'}  {seconds:.1f} s")


class PruningCallback(TrainerCallback):
    """Hands each evaluation to the study, which may give the trial up."""

    def __init__(self, study: Study, metric: str, tell: Callable[[str], None]) -> None:
        self.study, self.metric, self.tell = study, metric, tell

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any
    ) -> None:
        score, percent = metrics[f"eval_{self.metric}"], 100 * state.global_step // state.max_steps
        if percent < 100 and isfinite(score):
            if self.study.report(score, percent):
                raise TrialPruned(f"pruned at {percent} %: {self.metric} {score:.4f}")
            self.tell(f"    {percent} %: {self.metric} {score:.4f}")


def _release() -> None:
    """What the model of a trial took is there for the next one's."""
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)
