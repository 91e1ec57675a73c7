"""Whether folds of train can stand in for a validation split, and for how many rows."""

from pipelines.core.sharding import sharding_key
from pipelines.data.sources import StreamedSource
from pipelines.recipe.combinations.sections import Sections

# of train: from here on a tenth is enough to choose by, and takes little away
MAX_ROWS = 1_000
# of what trains by steps, once for each fold: with more, six trainings cost more than they tell
MAX_TRAINED_ROWS = 300
# of `training:`, which look at a validation split on the way
VALIDATION_KEYS = ("load_best_model_at_end", "metric_for_best_model", "eval_steps", "eval_delay")


def max_rows(recipe: Sections) -> int:
    """Return up to how many rows of train are dealt to folds where the recipe leaves it open."""
    if why_not(recipe):
        return 0
    strategy = recipe.strategy
    return MAX_ROWS if strategy.cross_validates or strategy.name == "auto" else MAX_TRAINED_ROWS


def why_not(recipe: Sections) -> str | None:
    """Return the reason why rows have to be set aside for validation; None where folds can do."""
    task, training = recipe.task, recipe.training
    if task.prediction_unit is None:
        return f"{task.name} has no linear head, whose outputs could be put together from folds"
    if isinstance(recipe.data, StreamedSource) and recipe.data.streaming:
        return "a stream cannot be dealt to folds"
    if recipe.model.quantization:
        return "quantized weights cannot be copied for each fold"
    for section in ("wise_ft", "soup"):
        if getattr(recipe.averaging, section):
            return f"averaging.{section} mixes weights by their scores on rows that are set aside"
    if recipe.adaptation and recipe.adaptation.after_training:
        name = recipe.adaptation.name
        return f"adaptation '{name}' shows what it costs on rows that are set aside"
    if recipe.evaluation.target_oracle:
        return "evaluation.target_oracle looks at evaluations while training"
    if recipe.early_stopping and "early_stopping" in recipe.model_fields_set:
        return "early_stopping counts scores on rows that are set aside"
    evaluates = training.get("eval_strategy", "no") != "no"
    keys = ["eval_strategy"] if evaluates else []
    keys += [key for key in VALIDATION_KEYS if training.get(key)]
    if keys:
        return f"training.{keys[0]} looks at rows that are set aside"
    key = sharding_key(training)
    return f"training.{key} spreads weights that each fold would copy" if key else None
