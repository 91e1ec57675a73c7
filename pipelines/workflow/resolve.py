"""The last step of preparing: values for everything that a recipe leaves open.

Its own values win. The run folder keeps the result, so a run can be repeated from it.
"""

from dataclasses import replace
from typing import Any

from pipelines.core import hardware, registry
from pipelines.core.console import say
from pipelines.core.labels import LANGUAGE
from pipelines.data.sources import Source
from pipelines.data.sources.several import Several
from pipelines.data.split_names import SplitNames
from pipelines.models.anatomy import dissect
from pipelines.recipe import Recipe, combinations
from pipelines.strategies.choosing.context import AutoContext
from pipelines.training import arguments as training_arguments
from pipelines.workflow.prepared import Prepared


def resolve(prepared: Prepared, explicit: frozenset[str]) -> Prepared:
    """Fill in what suits machine, model and strategy.

    Args:
        explicit: the sections that the user's recipe has.

    Returns:
        `prepared` with the resolved recipe, and why `strategy: auto` chose its strategy.

    Raises:
        RecipeError: `auto` finds no strategy that goes with the rest of the recipe.
    """
    context = _context(prepared, explicit)
    # before strategies look: `auto` times a forward pass in the memory order that will be trained
    if context.anatomy.is_convolutional:
        hardware.set_memory_format(prepared.checkpoint.model, channels_last=True)
    sections, reason = prepared.recipe.strategy.resolve(context)
    recipe = prepared.recipe.replace(data=_with_split_names(prepared), **sections)
    # before defaults are filled in: a note is about keys that the user wrote
    _note_ignored_keys(recipe)
    _note_unused_head(recipe, context)
    changes = _training(recipe, context, explicit, is_folded=prepared.data.is_folded)
    return replace(prepared, recipe=recipe.replace(**changes), reason=reason)


def _training(
    recipe: Recipe, context: AutoContext, explicit: frozenset[str], *, is_folded: bool
) -> dict[str, Any]:
    """Return `training:` with every default, and `early_stopping:` where nothing stops early."""
    defaults = recipe.strategy.training_defaults(recipe.task.modality, context.anatomy)
    if context.streams:
        defaults |= training_arguments.STREAMED
    # a strategy knows better than the machine, and the recipe has the last word
    training = {"seed": recipe.seed, **context.machine, **defaults, **recipe.training}
    longer = _extension(recipe, training, context)
    training |= longer
    changes: dict[str, Any] = {"training": training}
    # the steps that are needed, and no stop before they are done
    if longer and "early_stopping" not in explicit:
        changes["early_stopping"] = None
    # no rows are set aside that could choose a checkpoint: it is the last
    if is_folded and recipe.strategy.no_gradient_reason is None:
        training["eval_strategy"] = "no"
        training.pop("eval_steps", None)
    # there is nothing that it could count; one that the recipe has itself is refused
    has_none = training.get("eval_strategy") == "no" or not recipe.strategy.trains_on_task_loss
    if has_none or is_folded:
        changes["early_stopping"] = None
    elif _ends_adapted(recipe, explicit):
        say(
            "checkpoint: the last one counts, since validation is of the source, where the best "
            "one comes before the model has adapted (training.load_best_model_at_end)"
        )
        training["load_best_model_at_end"] = False
        changes["early_stopping"] = None
    return changes


def _ends_adapted(recipe: Recipe, explicit: frozenset[str]) -> bool:
    """Return whether the end of training counts, as nothing in the recipe says otherwise.

    On digits of another kind the best checkpoint on the source was worse than the last one, by 4
    to 7 points with `mcc` (benchmarks/README.md).
    """
    section = recipe.adaptation
    adapts = section is not None and not section.after_training
    named = recipe.training.keys() & {"load_best_model_at_end", "metric_for_best_model"}
    return adapts and not named and "early_stopping" not in explicit


def _extension(recipe: Recipe, training: dict[str, Any], context: AutoContext) -> dict[str, Any]:
    """Return the fields that make training long enough, and print the length that follows.

    A language model has learned its task already: more epochs would repeat the same text. A stream
    has the number of steps that its recipe says.
    """
    strategy = recipe.strategy
    length = strategy.length(context, training)
    if length is None or context.labels.problem_type == LANGUAGE or context.streams:
        return {}
    length = replace(length, adapting=recipe.adaptation.min_steps if recipe.adaptation else 0)
    has_stages = bool(strategy.stages(context.anatomy, length.num_epochs))
    extension = length.extension(in_steps=has_stages)
    if length.num_steps < length.min_steps:
        say(f"length: {length.shortage}")
    elif extension:
        say(f"length: {length}")
    return extension


def _context(prepared: Prepared, explicit: frozenset[str]) -> AutoContext:
    """Collect what strategies look at."""
    recipe, checkpoint = prepared.recipe, prepared.checkpoint
    train = prepared.encoded["train"]
    anatomy = dissect(checkpoint.model, checkpoint.newly_initialized)
    full = registry.find("strategies", "full")()
    groups = prepared.data.splits["train"].groups
    return AutoContext(
        task=recipe.task,
        checkpoint=checkpoint,
        anatomy=anatomy,
        labels=prepared.data.labels,
        train=train,
        validation=prepared.encoded["validation"],
        targets=prepared.targets["train"],
        num_validation=len(prepared.targets["validation"]),
        num_folds=prepared.data.num_folds,
        has_pairs="text_pair" in prepared.data.validation.column_names,
        streams=prepared.stream is not None,
        has_target=prepared.target is not None,
        training=recipe.training,
        usual=full.training_defaults(recipe.task.modality, anatomy),
        machine=hardware.defaults(recipe.training, decodes=getattr(train, "decodes", False)),
        explicit=explicit,
        conflict=lambda **sections: _first_conflict(recipe.replace(**sections)),
        groups=groups.numbers if groups else None,
    )


def _with_split_names(prepared: Prepared) -> Source:
    """Name what serves as each split, and the folds; a repeated run does not look for them."""
    names = prepared.data.source_splits
    data = prepared.recipe.data
    if isinstance(data, Several):  # each has its own splits, which the seed draws again
        return data.replace(folds=prepared.data.num_folds)
    # a list of files stays one
    explicit = {split: name for split, name in data.splits if name is not None}
    # a test split that was not used, for lack of labels, is explicitly none
    splits = SplitNames.model_validate({"test": None, **names, **explicit})
    # recorded as well: with other rows `auto` could count others
    return data.replace(splits=splits, folds=prepared.data.num_folds)


def _first_conflict(recipe: Recipe) -> str | None:
    """Return the reason why sections of a recipe do not go together; None where they do."""
    return next((reason for _, reason in combinations.problems(recipe)), None)


def _note_ignored_keys(recipe: Recipe) -> None:
    """Print which keys of `training:` have no effect on the strategy."""
    strategy = recipe.strategy
    keys = [f"training.{key}" for key in strategy.ignored_training_keys(recipe.training)]
    if keys:
        steps = (
            "takes no gradient steps" if strategy.no_gradient_reason else "has a loss of its own"
        )
        say(f"note: strategy {strategy.name} {steps}; ignored: {', '.join(keys)}")


def _note_unused_head(recipe: Recipe, context: AutoContext) -> None:
    """Print that the strategy solves anew the output layer that the checkpoint has trained."""
    strategy, output = recipe.strategy, context.anatomy.output
    is_new = f"{output}.weight" in context.checkpoint.newly_initialized
    if strategy.pretrained and strategy.has_solved_head(recipe.task) and not is_new:
        say(
            f"head: strategy {strategy.name} solves it anew, so the checkpoint's own is not used; "
            "strategy=full and model.head=keep train that one"
        )
