"""What a recipe has to say when its train split is streamed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.sources import StreamedSource

if TYPE_CHECKING:
    from pipelines.recipe import Recipe


def problems(recipe: "Recipe") -> Iterator[tuple[tuple[str, ...], str]]:
    """(key, what is wrong there) of everything that does not go with `data.streaming`."""
    if not (isinstance(recipe.data, StreamedSource) and recipe.data.streaming):
        return
    training = recipe.training
    if (training.get("max_steps") or 0) <= 0:
        yield (
            ("training", "max_steps"),
            "data.streaming needs it: nobody knows how long a stream is; say how many steps",
        )
    if training.get("eval_strategy") == "epoch":
        yield (
            ("training", "eval_strategy"),
            "'epoch': processes reach the end of a stream at different steps; expected steps or no",
        )
    if not recipe.task.streams:
        yield ("task", "name"), f"{recipe.task.name} cannot be streamed: leave out data.streaming"
    if recipe.strategy.needs_all_rows:
        yield (
            ("strategy", "name"),
            f"{recipe.strategy.name} cannot be streamed: {recipe.strategy.needs_all_rows}",
        )
