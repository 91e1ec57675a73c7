"""Whether pretrained weights are worth it: a recipe beside `scratch`, with the same budget.

of each seed  Recipe    -> Prepared                           as a trial of a search
              Prepared  -> Recipe from random weights         the same rows, steps and batches
              both      -> ScorePair
of all seeds  pairs     -> Transfer                           difference, interval, verdict

Test has no part in it: what is compared chooses between checkpoints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import processes, registry
from pipelines.core.console import say
from pipelines.core.errors import RecipeError
from pipelines.evaluation.transfer import MIN_SEEDS, ScorePair, Transfer
from pipelines.recipe import combinations
from pipelines.training.averaging import Averaging
from pipelines.training.length import LENGTH_KEYS, Length
from pipelines.workflow.trial import prepare_trial, score_trial

if TYPE_CHECKING:
    from pipelines.recipe import Recipe
    from pipelines.workflow.prepared import Prepared

# of `training:`, what suits pretrained weights: scratch has its own
OPTIMIZER_KEYS = {"learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay"}
# what decides how much is trained on, and which checkpoint is the result
BUDGET_KEYS = (
    *LENGTH_KEYS,
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "eval_strategy",
    "eval_steps",
)


def against_scratch(recipe: "Recipe", seeds: Sequence[int], folder: Path) -> Transfer:
    """Train as the recipe says, and the same architecture from random weights, with each seed.

    Both see the same rows for as many steps of as many examples, and are scored on the same
    validation rows, or folds. Rate and schedule are each one's own, and what holds training close
    to pretrained weights (`l2_sp`, `wise_ft`) has nothing to hold to. A strategy without gradient
    steps has no budget to compare: scratch then takes its usual length.

    Args:
        seeds: two or more; each draws rows, their order and new weights for both.
        folder: for checkpoints on the way; nothing stays in it.

    Raises:
        GraftError: as a run does; a recipe that is `scratch` itself, or too few seeds.
        Interrupted: on a signal.
    """
    if not recipe.strategy.pretrained:
        raise RecipeError(
            f"strategy.name: '{recipe.strategy.name}' is what a recipe is compared with; expected "
            "one that starts from pretrained weights, such as full"
        )
    if len({*seeds}) < max(MIN_SEEDS, len(seeds)):
        raise RecipeError(f"seeds: {[*seeds]}: expected {MIN_SEEDS} or more, each another one")
    measured = [measure(recipe, seed, folder) for seed in seeds]
    pairs = tuple(pair for each in measured for pair in each.pairs)
    # `auto` may choose by the seed's rows
    strategies = dict.fromkeys(each.strategy for each in measured)
    return replace(measured[0], strategy=", ".join(strategies), pairs=pairs)


def measure(recipe: "Recipe", seed: int, folder: Path) -> Transfer:
    """Train and score both with one seed: a transfer of one pair, which has no interval yet."""
    prepared = prepare_trial(recipe.replace(training={**recipe.training, "seed": seed}))
    scorer, targets = prepared.scorer, prepared.targets
    baseline = scorer.baseline(targets["train"], targets["validation"])[scorer.main]
    pretrained = _score(prepared, folder)
    scratch = prepare_trial(scratch_recipe(prepared))
    pair = ScorePair(seed, pretrained, _score(scratch, folder), baseline)
    say(
        f"seed {seed}: {scorer.main} {pair.pretrained:.4f}, from scratch {pair.scratch:.4f} on "
        "validation"
    )
    return Transfer(
        checkpoint=recipe.model.checkpoint,
        strategy=prepared.recipe.strategy.name,
        metric=scorer.main,
        greater_is_better=scorer.greater_is_better,
        num_rows=len(targets["validation"]),
        budget=_budget(prepared, scratch),
        pairs=(pair,),
    )


def _score(prepared: "Prepared", folder: Path) -> float:
    """Train what was prepared and compute its main score on validation."""
    with processes.temporary_folder(folder, "transfer_") as checkpoints:
        return score_trial(prepared, checkpoints)[prepared.scorer.main]


def scratch_recipe(prepared: "Prepared") -> "Recipe":
    """Return the recipe of the same training from random weights.

    Raises:
        RecipeError: a section that needs pretrained weights.
    """
    return from_scratch(prepared.recipe, budget_of(prepared))


def budget_of(prepared: "Prepared") -> dict[str, Any]:
    """Return the resolved keys of `training:` that are a budget; empty without steps to compare."""
    resolved = prepared.recipe.training if has_budget(prepared.recipe) else {}
    return {key: resolved[key] for key in BUDGET_KEYS if key in resolved}


def from_scratch(recipe: "Recipe", budget: Mapping[str, Any]) -> "Recipe":
    """Return a recipe with random weights, and with a budget in place of its own length.

    Raises:
        RecipeError: a section that needs pretrained weights.
    """
    given = {key: value for key, value in recipe.training.items() if key not in OPTIMIZER_KEYS}
    if not budget:  # those of a strategy that does not train so
        given = {key: value for key, value in given.items() if key not in BUDGET_KEYS}
    strategy = recipe.strategy
    scratch = recipe.replace(
        strategy=registry.find("strategies", "scratch")() if strategy.pretrained else strategy,
        model=recipe.model.replace(head="auto", quantization=None),
        training={**given, **budget},
        # a probe has none that could stop early
        **({} if budget else {"early_stopping": None}),
        regularization=recipe.regularization.replace(l2_sp=0.0),
        averaging=Averaging(ema=recipe.averaging.ema),
    )
    conflicts = combinations.problems(scratch)
    for key, reason in conflicts:
        raise RecipeError(f"{'.'.join(key)}, compared with scratch: {reason}")
    return scratch


def has_budget(recipe: "Recipe") -> bool:
    """Return whether the strategy takes steps of examples, as scratch does."""
    strategy = recipe.strategy
    return strategy.no_gradient_reason is None and strategy.trains_on_task_loss


def _budget(prepared: "Prepared", scratch: "Prepared") -> str:
    """Say how long both trained."""
    training: dict[str, Any] = scratch.recipe.training
    length = Length(scratch.num_examples, 0, training, explicit=LENGTH_KEYS)
    steps = f"{length.num_steps:,} steps of {training['per_device_train_batch_size']} examples"
    if has_budget(prepared.recipe):
        return f"{steps} each"
    return f"scratch takes {steps}, {prepared.recipe.strategy.name} none"
