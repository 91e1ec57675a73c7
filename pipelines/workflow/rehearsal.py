"""Before the first of several runs trains: every checkpoint is loaded once."""

import json
from collections.abc import Iterable

from pipelines.core import console, hardware
from pipelines.core.errors import GraftError
from pipelines.recipe import Recipe
from pipelines.workflow.prepare import prepare

# keys of `model` that change neither which files are read nor whether they fit
LEFT_OUT = {"config", "templates"}


def rehearse(named: Iterable[tuple[str, Recipe]], prepared: Recipe) -> None:
    """Prepare each recipe that reads another checkpoint than those before it.

    Args:
        named: recipes, each with what begins a message about it.
        prepared: one that was prepared already.

    Raises:
        GraftError: the checkpoint is wrong, or does not fit; names the recipe.
    """
    checked = {_checkpoints(prepared)}
    # of one checkpoint first what reads its weights
    for name, recipe in sorted(named, key=lambda pair: not pair[1].strategy.pretrained):
        if (checkpoints := _checkpoints(recipe)) in checked:
            continue
        checked.add(checkpoints)
        console.say(f"checkpoint of {name}: checked before anything trains")
        try:
            with console.capture_stdout():
                prepare(recipe, test=False)
        except GraftError as error:
            # callers distinguish errors by their class
            raise type(error)(f"{name}: {error}") from error
        finally:
            hardware.free_memory()


def _checkpoints(recipe: Recipe) -> str:
    """Return what a recipe says of its checkpoints, as a text that can be compared."""
    model, merge = recipe.model.model_dump(mode="json", exclude=LEFT_OUT), recipe.averaging.merge
    return json.dumps([model, merge and merge.model_dump(mode="json")], sort_keys=True)
