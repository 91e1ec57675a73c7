"""The strategy that suits data, model and machine, by rules that are written here."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines import registry
from pipelines.console import say
from pipelines.errors import RecipeError
from pipelines.strategies import Strategy

if TYPE_CHECKING:
    from pipelines.situation import Situation
    from pipelines.tasks import Task

NEAR = 0.5  # of what guessing gets wrong, a linear head on features as they are gets this right
SHARE = 0.8  # of the memory that is free, for weights, gradients and moments

Choice = tuple[str, str]  # a strategy, and why


class Auto(Strategy):
    """Chooses before training, says why, and leaves everything else to what it chose.

    The first rule that applies and goes with the rest of the recipe counts:

    1. More time than `minutes`: `linear_probe`, one forward pass.
    2. No room for AdamW's moments: `lora` (arXiv 2106.09685).
    3. Nothing to solve a head for, or examples that flow by: `full`.
    4. Features that are near to the task: `lp_ft`, which keeps them (arXiv 2202.10054), and on the
       line back to the probe the point that validation prefers (`wise_ft`, arXiv 2109.01903).
    5. Features that are far from it have to change: `lora`.

    `Situation.similarity` says what near is. benchmarks/README.md says what the rules cost.
    """

    minutes: float | None = Field(None, gt=0, description="how long training may take")

    def solves_head(self, task: "Task") -> bool:
        return task.answers_per is not None

    def settled(self, situation: "Situation") -> dict[str, Any]:
        """The chosen strategy, which knows why."""
        for name, why in self._choices(situation):
            sections = self._sections(situation, name, why)
            problem = situation.problem_with(**sections)
            if problem is None:
                say(f"auto: {name}, because {why}")
                return sections
        raise RecipeError(
            f"strategy 'auto' finds none that goes with the rest of the recipe: {problem}"
        )

    def _choices(self, situation: "Situation") -> Iterator[Choice]:
        """From the best to what always goes."""
        task = situation.task
        if self.minutes and situation.minutes > self.minutes:
            time = f"{situation.minutes:.1f} minutes of training, and {self.minutes:g} are allowed"
            yield "linear_probe", f"all weights would take about {time}"
        if situation.optimizer_bytes > SHARE * situation.memory:
            needed, there = situation.optimizer_bytes / 1e9, situation.memory / 1e9
            yield "lora", f"to train all weights takes {needed:.1f} GB, and {there:.1f} are free"
        if situation.streams:
            yield "full", "examples that flow by are too many to solve a head on"
        elif not task.answers_per:
            yield "full", f"{task.name} has no linear head to solve for"
        else:
            yield self._by_similarity(situation)
        for name in ("full", "lp_ft"):
            yield name, "it goes with the rest of the recipe"

    def _by_similarity(self, situation: "Situation") -> Choice:
        found, few = situation.similarity, situation.per_class
        told = f"{len(situation.targets):,} examples"
        told += f", {few:.0f} of each class" if few else ""
        told += (
            f"; a linear head on the features as they are leaves {1 - found:.0%} of the mistakes"
        )
        if found >= NEAR:
            return "lp_ft", f"{told} of guessing: near, what the features know is kept"
        return "lora", f"{told} of guessing: far, they have to change"

    def _sections(self, situation: "Situation", name: str, why: str) -> dict[str, Any]:
        """What stands in the recipe in place of `auto`."""
        sections: dict[str, Any] = {"strategy": registry.find("strategies", name)(because=why)}
        recipe = situation.recipe
        if name == "lp_ft" and "averaging" not in recipe.model_fields_set:
            sections["averaging"] = recipe.averaging.replace(wise_ft=True)
        return sections
