"""What a search is asked to do."""

from dataclasses import dataclass
from typing import Any

from pipelines import recipe
from pipelines.recipe import Recipe
from pipelines.recipe.document import Override
from pipelines.report.privacy import without_tokens
from pipelines.tuning.search.space import Space, as_overrides


@dataclass(frozen=True)
class SearchRequest:
    """A recipe, a space and the limits of a search.

    Attributes:
        path: the recipe file.
        overrides: `key=value` texts that hold for all trials.
        max_trials: the number of trials in total, earlier ones included.
        timeout: seconds after which no new trial starts.
        storage: a file, or the URL of a database; None: a journal in the folder of the search.
    """

    path: str
    overrides: tuple[str, ...]
    space: Space
    max_trials: int
    timeout: float
    storage: str | None = None

    def recipe(self, texts: dict[str, str]) -> Recipe:
        """Load the recipe of a trial.

        Args:
            texts: dimension -> value, as it would be typed.
        """
        loaded = recipe.load(self.path, [*self.overrides, *self.trial_overrides(texts)])
        return self.comparable(loaded)

    def comparable(self, loaded: Recipe) -> Recipe:
        """Let all trials score the same rows: where strategies are compared, those set aside.

        Only some strategies can be cross-validated.
        """
        if self.space.strategies == (None,):
            return loaded
        return loaded.replace(data=loaded.data.replace(folds=0))

    def trial_overrides(self, texts: dict[str, str]) -> list[Override]:
        """Return the values of a trial as overrides of the recipe."""
        return as_overrides((d, texts[d.name]) for d in self.space.dimensions if d.name in texts)

    @property
    def identity(self) -> dict[str, Any]:
        """Recipe and space as plain values; only trials of an equal identity are compared."""
        values = dict(recipe.read(self.path, self.overrides).values)
        # where a model is pushed changes no score
        values.pop("hub", None)
        space = {d.name: str(d.values) for d in self.space.dimensions}
        return {"recipe": without_tokens(values), "space": space}


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """List the keys of two identities whose values differ, with both values."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [f"{path}: {one} is now {other}"]
    changes: list[str] = []
    for key in {**one, **other}:
        if one.get(key) != other.get(key):
            changes += differences(one.get(key), other.get(key), f"{path}.{key}".lstrip("."))
    return changes
