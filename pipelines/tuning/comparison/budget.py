"""How long all arms train: the resolved length of the first one that trains by steps.

A solved head has no length. One that is itself compared (`--vary training.num_train_epochs=1,3`)
is each arm's own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.core import console
from pipelines.core.errors import RecipeError
from pipelines.recipe import Recipe
from pipelines.training.early_stopping import EarlyStopping
from pipelines.training.length import LENGTH_KEYS
from pipelines.tuning.comparison.arms import ComparisonArm
from pipelines.workflow import transfer
from pipelines.workflow.prepare import prepare


@dataclass(frozen=True)
class ArmBudget:
    """The length of the training of every arm.

    Attributes:
        training: keys of `training:`; empty where no arm takes steps.
        early_stopping: of the arm that decided.
        num_rows: examples of train; 0 for a stream.
    """

    training: Mapping[str, Any]
    early_stopping: EarlyStopping | None
    num_rows: int

    @classmethod
    def of(cls, recipe: Recipe) -> "ArmBudget":
        """Resolve the length of a recipe; its data and checkpoint are loaded for it.

        Raises:
            GraftError: something in recipe, data or checkpoint is wrong.
        """
        with console.capture_stdout():
            prepared = prepare(recipe, test=False)
        num_rows = 0 if prepared.stream is not None else len(prepared.data.splits["train"])
        return cls(transfer.budget_of(prepared), prepared.recipe.early_stopping, num_rows)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ArmBudget":
        """Read what `json` gave."""
        stopping = values["early_stopping"]
        return cls(values["training"], stopping and EarlyStopping(**stopping), values["num_rows"])

    def json(self) -> dict[str, Any]:
        """Return it as plain values."""
        stopping = self.early_stopping
        return {**vars(self), "early_stopping": stopping and stopping.model_dump()}

    def apply(self, recipe: Recipe, varied: frozenset[str]) -> Recipe:
        """Give a recipe this length, unless it takes no steps.

        Args:
            varied: dotted keys that are compared, and stay as they are.

        Raises:
            RecipeError: scratch does not go with the rest of the recipe.
        """
        compared = {key.removeprefix("training.") for key in varied if key.startswith("training.")}
        training = {key: value for key, value in self.training.items() if key not in compared}
        if compared & LENGTH_KEYS:  # steps would win over the epochs that are compared
            training = {key: value for key, value in training.items() if key not in LENGTH_KEYS}
        chosen = {key: recipe.training[key] for key in compared & recipe.training.keys()}
        # one that is set counts as the recipe's own, which folds do not go with
        if training and recipe.early_stopping != self.early_stopping:
            recipe = recipe.replace(early_stopping=self.early_stopping)
        if not recipe.strategy.pretrained and "strategy" in varied:
            recipe = transfer.from_scratch(recipe, training)
        elif not training or not transfer.has_budget(recipe):
            return recipe
        return recipe.replace(training={**recipe.training, **training, **chosen})

    def describe(self, varied: frozenset[str]) -> str:
        """Say how long arms train; empty where that differs, or nothing trains by steps."""
        training = self.training
        if not training or {f"training.{key}" for key in transfer.BUDGET_KEYS} & varied:
            return ""
        size = training.get("per_device_train_batch_size", 8)
        steps = training.get("max_steps") or -1
        if steps > 0:
            return f"{steps:,} steps of {size} examples for all that train by steps"
        epochs = training.get("num_train_epochs", 3)
        return f"{epochs:g} epochs in steps of {size} examples for all that train by steps"


class Budgets:
    """The budget for each share of train, computed when it is first needed.

    Args:
        arms: of which one decides: the first that trains pretrained weights by steps, else the
            first that trains by steps.
        made: share -> budget, as an earlier part of the comparison had it.
    """

    def __init__(
        self, arms: Sequence[ComparisonArm], seed: int, made: Mapping[float, ArmBudget]
    ) -> None:
        self.deciding = next(_deciding(arms))
        self.seed, self.made = seed, dict(made)

    def of(self, fraction: float, *, with_folds: bool) -> ArmBudget:
        """Return the budget on a share of train.

        Raises:
            GraftError: something in recipe, data or checkpoint is wrong.
        """
        if fraction not in self.made:
            whole = None if fraction == 1 else self.of(1, with_folds=with_folds)
            recipe = on_rows(self.deciding.recipe, self.seed, with_folds=with_folds)
            if whole:
                recipe = on_share(recipe, fraction, whole.num_rows)
            self.made[fraction] = ArmBudget.of(recipe)
        return self.made[fraction]


def _deciding(arms: Sequence[ComparisonArm]) -> Iterator[ComparisonArm]:
    """Yield the arms, those first whose length others can have."""
    steps = [arm for arm in arms if transfer.has_budget(arm.recipe)]
    # `auto` may come to one that takes no steps
    named = [arm for arm in steps if arm.recipe.strategy.name != "auto"]
    yield from (arm for arm in named if arm.recipe.strategy.pretrained)
    yield from (*steps, *arms)


def on_rows(recipe: Recipe, seed: int, *, with_folds: bool) -> Recipe:
    """Return a recipe with a seed, which draws rows; rows are set aside unless folds validate."""
    data = recipe.data if with_folds else recipe.data.replace(folds=0)
    return recipe.replace(training={**recipe.training, "seed": seed}, data=data)


def on_share(recipe: Recipe, fraction: float, num_rows: int) -> Recipe:
    """Return a recipe that trains on a share of so many rows, drawn by seed and class.

    Raises:
        RecipeError: train is a stream.
    """
    if not num_rows:
        raise RecipeError(
            f"--fractions {fraction:g}: train is a stream (data.streaming), whose "
            "length is not known; expected data that are loaded"
        )
    count = max(1, round(fraction * num_rows))
    limit = recipe.data.limit.replace(train=count)
    return recipe.replace(data=recipe.data.replace(limit=limit))
