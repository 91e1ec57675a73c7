"""The strategy that suits data, model and machine, by rules that are written here."""

from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.core import registry
from pipelines.core.console import say
from pipelines.core.errors import RecipeError
from pipelines.strategies import Strategy

if TYPE_CHECKING:
    from pipelines.strategies.choosing.context import AutoContext
    from pipelines.tasks import Task

SHARE = 0.8  # of the memory that is free, for weights, gradients and moments
NEAR = 0.65  # of what guessing gets wrong, a linear head on features as they are gets right
ENOUGH = 100  # examples of a class, those of all epochs, for steps to come to something
FEW = 50  # steps
LOOKS = 6  # evaluations of a training that was made longer
TELLING = 100  # examples of validation, to choose by

Choice = tuple[str, str]  # a strategy, and why


class Auto(Strategy):
    """Chooses before training, says why, and leaves everything else to what it chose.

    The first rule that applies and goes with the rest of the recipe counts:

    1. More time than `minutes`: `linear_probe`, one forward pass.
    2. No room for AdamW's moments: `lora` (arXiv 2106.09685).
    3. Nothing to solve a head for, or examples that flow by: `full`.
    4. Fewer steps than weights need to come to something: `linear_probe`. It is the recipe that
       says so: where it says nothing, there are as many epochs as it takes (arXiv 2006.05987).
    5. Features near to the task, and steps that would see each class a few times only:
       `linear_probe`, whose solver comes to its end.
    6. Convolutions with batch normalization: `lora`, which leaves the statistics of pretraining
       alone: those of a few examples say little.
    7. Else `lp_ft` (arXiv 2202.10054), and where validation is large enough to choose by, the best
       point on the line back to the probe (`wise_ft`, arXiv 2109.01903).

    `AutoContext.similarity` says what near is; benchmarks/README.md, what the rules cost.
    """

    minutes: float | None = Field(None, gt=0, description="how long training may take")

    def solves_head(self, task: "Task") -> bool:
        return task.prediction_unit is not None

    def resolve(self, context: "AutoContext") -> dict[str, Any]:
        """The chosen strategy, which knows why."""
        for name, why in self._choices(context):
            sections = self._sections(context, name, why)
            problem = context.problem_with(**sections)
            if problem is None:
                say(f"auto: {name}, because {sections['strategy'].reason}")
                return sections
        raise RecipeError(
            f"strategy 'auto' finds none that goes with the rest of the recipe: {problem}"
        )

    def _choices(self, context: "AutoContext") -> Iterator[Choice]:
        """From the best to what always goes."""
        task = context.task
        if self.minutes and context.minutes > self.minutes:
            time = f"{context.minutes:.1f} minutes of training, and {self.minutes:g} are allowed"
            yield "linear_probe", f"all weights would take about {time}"
        if context.optimizer_bytes > SHARE * context.memory:
            needed, there = context.optimizer_bytes / 1e9, context.memory / 1e9
            yield "lora", f"to train all weights takes {needed:.1f} GB, and {there:.1f} are free"
        if context.streams:
            yield "full", "examples that flow by are too many to solve a head on"
        elif not task.prediction_unit:
            yield "full", f"{task.name} has no linear head to solve for"
        else:
            if context.steps < FEW:
                yield "linear_probe", f"{context.steps} steps are too few to learn much in"
            yield from self._by_similarity(context)
        yield "full", "it goes with the rest of the recipe"

    def _by_similarity(self, context: "AutoContext") -> Iterator[Choice]:
        near, of_class = context.similarity, context.per_class
        told = f"{len(context.targets):,} examples"
        told += f", {of_class:.0f} of each class" if of_class else ""
        told += f"; a linear head on the features as they are makes {1 - near:.0%} of the mistakes"
        told += " of guessing"
        seen = context.passes / context.labels.num_labels
        if near >= NEAR and seen < ENOUGH:
            yield "linear_probe", f"{told}: near, and steps would see a class {seen:.0f} times"
        if context.anatomy.is_convolutional and context.normalizes_batches:
            yield "lora", f"{told}; the statistics of its batch normalization are worth keeping"
        yield "lp_ft", f"{told}: there is more to learn, from that head on"

    def _sections(self, context: "AutoContext", name: str, why: str) -> dict[str, Any]:
        """What stands in the recipe in place of `auto`."""
        recipe, sections = context.recipe, dict[str, Any]()
        strategy = registry.find("strategies", name)
        chooses = "averaging" not in recipe.model_fields_set and context.num_validation >= TELLING
        if name == "lp_ft" and chooses:
            sections["averaging"] = recipe.averaging.replace(wise_ft=True)
        if context.longer and not strategy.no_gradient_reason:
            sections["training"] = {**_length(context), **recipe.training}
            why += f"; {context.longer} epochs, for {context.steps} steps"
        return {"strategy": strategy(reason=why), **sections}


def _length(context: "AutoContext") -> dict[str, Any]:
    """Of training on few examples: epochs are too short to evaluate after each."""
    length = {"num_train_epochs": context.longer}
    if context.recipe.training.keys() & {"eval_strategy", "save_strategy"}:
        return length
    return {**length, "eval_strategy": "steps", "eval_steps": ceil(context.steps / LOOKS)}
