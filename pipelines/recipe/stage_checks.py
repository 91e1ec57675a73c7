"""What a stage of a recipe must not say, and what it must leave to the next one."""

from collections.abc import Iterator

from pipelines.recipe.document import Document, Key, Override
from pipelines.recipe.recipe import Recipe

WHOLE = ("name", "hub", "extends", "stages")  # of the recipe, not of a stage
WHOLE_TRAINING = ("output_dir", "resume_from_checkpoint")  # the same of `training:`


def misplaced(number: int, layer: Document, overrides: list[Override]) -> Iterator[str]:
    """Report keys of a stage that are the whole recipe's, or follow from the stage before."""
    keys: dict[Key, str] = {(name,): layer.place((name,)) for name in layer.values}
    for section in ("training", "model"):
        below = layer.values.get(section)
        names = below if isinstance(below, dict) else ()
        keys |= {(section, name): layer.place((section, name)) for name in names}
        if section == "model" and isinstance(below, str):
            keys["model", "checkpoint"] = layer.place(("model",))
    for key, _, place in overrides:
        keys[("model", "checkpoint") if key == ("model",) else key] = place
    for key, place in keys.items():
        if key[0] in WHOLE or (key[0] == "training" and key[-1] in WHOLE_TRAINING):
            yield f"{place}: {'.'.join(key)}: is one for all stages; write it above `stages:`"
        if number and (key == ("model", "checkpoint") or key == ("model", "revision")):
            yield f"{place}: {'.'.join(key)}: follows from the stage before; leave it out"


def unfit_outputs(document: Document, recipes: list[Recipe]) -> Iterator[str]:
    """Report stages whose output no later one can start from."""
    for number, each in enumerate(recipes):
        if each.model.beside:
            place = document.place(("stages", str(number), "model"))
            yield (
                f"{place}: model.beside: a stage starts from one model, and leaves one to the "
                "next; name one checkpoint, or write a recipe without stages"
            )
    for number, each in enumerate(recipes[:-1]):
        if getattr(each.strategy, "save", "") == "adapter":
            place = document.place(("stages", str(number), "strategy", "save"))
            yield (
                f"{place}: stages.{number}.strategy.save: adapter: the next stage starts from a "
                "whole model; use merged"
            )
