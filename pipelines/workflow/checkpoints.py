"""What a recipe names under `model:` -> a checkpoint with a new head, and those beside it."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pipelines.core.console import say
from pipelines.models import load as models
from pipelines.models.section import Model
from pipelines.training.averaging import merging

if TYPE_CHECKING:
    from pipelines.data import Data
    from pipelines.models.load import Checkpoint
    from pipelines.recipe import Recipe


def load(recipe: "Recipe", loaded: "Data") -> "Checkpoint":
    """Load every checkpoint for the labels of the data, and print what was changed to fit them.

    Raises:
        ModelError: no checkpoint, or not one for this task.
        HubError: the Hub cannot be reached or refuses.
    """
    from transformers import set_seed

    load_one = partial(
        models.load,
        task=recipe.task,
        labels=loaded.labels,
        pretrained=recipe.strategy.pretrained,
    )
    set_seed(recipe.seed)  # the weights of a new head are drawn while loading
    checkpoint = load_one(recipe.model)
    if recipe.averaging.merge:
        checkpoint = merging.merge(
            checkpoint, recipe.averaging.merge, recipe.model, load_one, recipe.seed
        )
    beside = []
    for encoder in recipe.model.beside:
        set_seed(recipe.seed)  # as where it stands alone
        beside.append(load_one(Model.of(encoder)))
    for each in (checkpoint, *beside):
        for note in each.notes:
            say(note)
    return replace(checkpoint, beside=tuple(beside))
