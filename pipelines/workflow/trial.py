"""A training for its score on validation alone: trials of a search, a ranking, a transfer."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.sharding import sharding_key
from pipelines.recipe import Recipe
from pipelines.workflow.prepare import prepare
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.race import race
from pipelines.workflow.train import job_of, train

if TYPE_CHECKING:
    from transformers import TrainerCallback


def trial(
    recipe: Recipe, checkpoints: Path, callbacks: "tuple[TrainerCallback, ...]" = ()
) -> dict[str, float]:
    """Train as `recipe` says and return what its run would score on validation.

    Test is left out. Files on the way are written to `checkpoints`; nothing else stays.

    Raises:
        GraftError: as `run` does; DivergedError where outputs are not finite.
        Interrupted: on a signal.
    """
    return score_trial(prepare_trial(recipe), checkpoints, callbacks)


def prepare_trial(recipe: Recipe) -> Prepared:
    """Load all that a trial needs, without test; `auto` has chosen its strategy.

    Raises:
        GraftError: something in recipe, data or checkpoint is wrong.
    """
    # sharded weights are put together on the main process from a whole checkpoint only
    model_only = sharding_key(recipe.training) is None
    training = {"save_only_model": model_only, **recipe.training}
    recipe = recipe.replace(training=training)
    return race(recipe, prepare(recipe, test=False))


def score_trial(
    prepared: Prepared, checkpoints: Path, callbacks: "tuple[TrainerCallback, ...]" = ()
) -> dict[str, float]:
    """Train what was prepared and return its scores on validation."""
    recipe = prepared.recipe
    # pruning compares a run's scores by how far it has come, and a soup is several runs
    single_run_callbacks = () if recipe.averaging.soup else callbacks
    job = job_of(prepared, checkpoints, callbacks=single_run_callbacks)
    fitted, collect = train(recipe, job), recipe.task.collect
    if fitted.out_of_fold is not None:
        return job.score({"logits": fitted.out_of_fold})
    return job.score(fitted.output.run(job.validation, job.collate, collect, **job.forward_options))
