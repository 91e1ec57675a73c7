"""What a comparison is asked to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import recipe as recipes
from pipelines.core.errors import RecipeError
from pipelines.recipe import Recipe, StagedRecipe, reading
from pipelines.recipe.document import Document, Override
from pipelines.report.privacy import without_tokens
from pipelines.training import trackers
from pipelines.tuning.search import checks
from pipelines.tuning.search.space import Space

ORIGIN = "graft.compare"  # what messages name instead of a file

OneStage = Recipe | Mapping[str, Any] | str | Path  # what a recipe may be given as
WHOLE = (1.0,)  # of train


@dataclass(frozen=True)
class ComparisonRequest:
    """A recipe, what varies, and how often.

    Attributes:
        base: the recipe, a mapping or a file.
        fixed: overrides that hold for all arms.
        space: the keys that vary, and the values of each.
        num_seeds: how often each arm is run.
        fractions: the shares of train that each arm is run on.
    """

    base: OneStage
    fixed: tuple[Override, ...]
    space: Space
    num_seeds: int = 3
    fractions: tuple[float, ...] = WHOLE

    def check(self) -> Recipe:
        """Refuse whatever a run would fail on; returns the recipe at some point of the space.

        Raises:
            RecipeError: one line for each mistake.
        """
        if self.num_seeds < 1:
            raise RecipeError(f"--seeds {self.num_seeds}: expected a number from 1 up")
        for fraction in self.fractions:
            if not 0 < fraction <= 1:
                raise RecipeError(f"--fractions {fraction:g}: expected shares of train, 0.01,0.1,1")
        if not self.fractions:
            raise RecipeError("--fractions: names none; expected shares of train, 0.01,0.1,1")
        if isinstance(self.base, StagedRecipe):
            raise RecipeError(f"{ORIGIN}: the recipe has stages; expected one of a single stage")
        for dimension in self.space.dimensions:
            if dimension.values.all is None:
                raise RecipeError(
                    f"{dimension.place}: {dimension.name}: {dimension.values} is a range; expected "
                    "values to compare, a,b,c (graft search searches ranges)"
                )
        recipe = checks.validate(self.space, self.load, self.fixed)[0]
        trackers.check(recipe.training)
        return recipe

    def load(self, overrides: Sequence[Override]) -> Recipe:
        """Read and check the recipe."""
        return recipes.build(self._document(overrides))

    def _document(self, overrides: Sequence[Override]) -> Document:
        base = self.base
        if isinstance(base, str | Path):
            return recipes.read(base, overrides)
        if isinstance(base, Recipe):
            base = base.model_dump(mode="json", exclude_unset=True)
        return reading.from_values(base, ORIGIN, overrides)

    @property
    def varied(self) -> frozenset[str]:
        """The dotted keys that vary."""
        return frozenset(".".join(dimension.key) for dimension in self.space.dimensions)

    @property
    def is_by_folds(self) -> bool:
        """Whether folds of train may validate: all arms have to score the same rows."""
        is_of_rows = any(key.partition(".")[0] == "data" for key in self.varied)
        return self.space.strategies == (None,) and self.fractions == WHOLE and not is_of_rows

    @property
    def identity(self) -> dict[str, Any]:
        """What finished runs depend on, as plain values; seeds and shares may be added."""
        values = dict(self._document(self.fixed).values)
        # where a model is pushed changes no score
        values.pop("hub", None)
        vary = {dimension.name: str(dimension.values) for dimension in self.space.dimensions}
        return {"recipe": without_tokens(values), "vary": vary, "folds": self.is_by_folds}
