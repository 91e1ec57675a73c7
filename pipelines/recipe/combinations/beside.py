"""Conflicts about several checkpoints: what has no meaning where features stand side by side."""

from collections.abc import Iterator

from pipelines.core import registry
from pipelines.recipe.combinations.sections import Problem, Sections

ONE_HEAD = "features of several models are read by one head (model.beside)"


def problems(recipe: Sections) -> Iterator[Problem]:
    """Yield what does not go with `model.beside`."""
    if not recipe.model.beside:
        return
    task, strategy = recipe.task, recipe.strategy
    if task.prediction_unit != "example":
        yield (
            ("model", "beside"),
            f"{task.name} does not predict one thing for an example, for which features could "
            "stand side by side; name one checkpoint",
        )
    elif not strategy.stands_beside:
        yield (
            ("strategy", "name"),
            f"'{strategy.name}': {ONE_HEAD}, which is solved while they stay frozen; use "
            "linear_probe, or name one checkpoint",
        )
    yield from _head_problems(recipe)
    for number, encoder in enumerate(recipe.model.beside):
        if encoder.image_size and task.modality != "image":
            yield (
                ("model", "beside", str(number), "image_size"),
                f"{task.name} reads {task.modality}, no images; leave it out",
            )
    if recipe.averaging.merge:
        yield (
            ("averaging", "merge"),
            f"merges checkpoints into one, and {ONE_HEAD}; leave one of them out",
        )
    if recipe.hub.push:
        yield (
            ("hub", "push"),
            "several models side by side are a folder of models, which no class loads from the "
            "Hub; leave it out, or name one checkpoint",
        )
    for key in recipe.evaluation.requested:
        yield ("evaluation", key), f"is measured of one model, and {ONE_HEAD}; leave it out"


def _head_problems(recipe: Sections) -> Iterator[Problem]:
    """Yield heads that cannot be cut into a part for each model, and what else decides on one."""
    strategy, head = recipe.strategy, getattr(recipe.strategy, "head", "auto")
    if strategy.name == "auto" and getattr(strategy, "entrants", None):
        yield ("strategy", "entrants"), f"{ONE_HEAD}: there is nothing to compare; leave it out"
    is_solver = strategy.stands_beside and head in registry.names("heads")
    if is_solver and registry.find("heads", head).is_deep:
        yield (
            ("strategy", "head"),
            f"'{head}': a head of several layers cannot be cut into a part for each model; use a "
            "linear one",
        )
    # other strategies refuse it by themselves
    if strategy.name == "auto" and recipe.model.head in ("keep", "zero_shot"):
        yield ("model", "head"), f"'{recipe.model.head}': {ONE_HEAD}, a new one; leave it out"
