"""Prepared -> Job -> Fitted: what a strategy trains, and how often."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.training import after_training
from pipelines.training.adaptation import AfterTraining, WhileTraining
from pipelines.training.averaging import soup
from pipelines.training.cross_validation import CrossValidation
from pipelines.training.job import Job
from pipelines.training.rehearsal import rehearse
from pipelines.workflow.free_keys import is_free

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from pipelines.recipe import Recipe
    from pipelines.training.fitted import Fitted
    from pipelines.workflow.prepared import Prepared

# sections that training does not follow from; what it is of `data`, its rows tell, and of
# `training`, the arguments that it makes
UNTRAINED: dict[str, Any] = {
    "name": True,
    "data": True,
    "hub": True,
    "calibration": True,
    "simple_model": True,
    "printed_lines": True,
    "evaluation": True,
    "training": True,
}
PLACE = {"checkpoint", "revision"}  # of `model`: its weights tell what is there
OF_A_PROCESS = {"resume_from_checkpoint", "local_rank"}  # where it goes on, and which one it is


def job_of(prepared: "Prepared", checkpoints: Path, **fields: Any) -> Job:
    """Make the job that a strategy fits; `fields` are more fields of `Job`."""
    recipe, target = prepared.recipe, prepared.target
    section = recipe.adaptation
    # rows that training may adapt to are part of what it follows from
    adapts_to = "" if target is None else str(target.fingerprint)
    arguments = prepared.arguments(checkpoints)
    return Job(
        task=recipe.task,
        checkpoint=prepared.checkpoint,
        labels=prepared.data.labels,
        # of a stream, `encoded` holds the first rows only, for checks and estimates
        train=prepared.rows("train") if prepared.stream is None else prepared.stream,
        validation=prepared.rows("validation"),
        train_targets=prepared.targets["train"],
        validation_targets=prepared.targets["validation"],
        collate=prepared.collate,
        collate_train=prepared.collate_train,
        loss=prepared.loss,
        folds=prepared.folds,
        fold_units=prepared.fold_units,
        choosing_folds=prepared.choosing_folds,
        row_groups=recipe.task.row_groups(prepared.targets["train"], prepared.data.labels),
        scorer=prepared.scorer,
        arguments=arguments,
        early_stopping=recipe.early_stopping,
        # masked_lm draws its masks anew, too: nothing that is computed from an example stays valid
        varies=recipe.augmentation is not None or recipe.task.varies,
        regularization=recipe.regularization,
        averaging=recipe.averaging,
        adaptation=section if isinstance(section, WhileTraining) else None,
        speed=recipe.speed,
        target_scale=prepared.target_scale,
        target=target,
        finds_batch_size=bool(recipe.training.get("auto_find_batch_size")),
        identity=_identity(recipe, arguments) + adapts_to,
        **fields,
    )


def _identity(recipe: "Recipe", arguments: "TrainingArguments") -> str:
    """Write what a recipe says of training, the same whenever the training is.

    A resumed run names what was resolved, with defaults among it, in another order, and may lie
    elsewhere; beside steps, epochs say nothing.
    """
    fields = {
        # 3 epochs are 3.0
        name: float(value) if type(value) is int else value
        for name, value in sorted(arguments.to_dict().items())
        if not is_free(f"training.{name}") and name not in OF_A_PROCESS
    }
    if arguments.max_steps > 0:
        del fields["num_train_epochs"]
    # code that comes with weights is known by its commit
    place = set() if recipe.model.trust_remote_code else PLACE
    sections = recipe.model_dump_json(exclude=UNTRAINED | {"model": place})
    return sections + json.dumps(fields, default=str)


def check_training(prepared: "Prepared") -> None:
    """Refuse what training would refuse of the recipe's `training:` and `speed:`.

    Nothing is trained or written.

    Raises:
        RecipeError: a value that the optimizer, the schedule or a report refuses; a switch that
            says `on`, and it cannot be done.
    """
    strategy, job = prepared.recipe.strategy, job_of(prepared, Path())
    if strategy.no_gradient_reason is None:
        rehearse(job)
    strategy.check_switches(job)
    if isinstance(prepared.recipe.adaptation, AfterTraining):
        after_training.check(prepared.recipe.adaptation, job)


def train(recipe: "Recipe", job: Job) -> "Fitted":
    """Train, and adapt what was trained to the target, if the recipe asks for it."""
    with recipe.data.reading():
        fitted = _fit(recipe, job)
    section = recipe.adaptation
    if isinstance(section, AfterTraining):
        return after_training.adapt(section, fitted, job)
    return fitted


def _fit(recipe: "Recipe", job: Job) -> "Fitted":
    """Train once, or once for each ingredient of a soup, or once without each fold, too."""
    strategy = recipe.strategy
    if recipe.averaging.soup:
        return soup.fit(strategy.train, strategy.start(job), recipe.averaging.soup)
    if job.folds is not None and not strategy.cross_validates:
        return CrossValidation(strategy.fit, job).fit()
    return strategy.fit(job)
