"""A recipe with `stages` -> one recipe for each, what they have in common at the top.

1. reading.layered   file                  -> the document, `stages` in it
2. _layers           document              -> a layer for each stage
   misplaced         layers, overrides     -> keys that no stage may have are refused
3. _documents        layers, overrides     -> a whole document for each stage
4. recipe.build      document              -> Recipe
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.core import recipe_files
from pipelines.core.errors import RecipeError
from pipelines.core.section import Section
from pipelines.recipe import reading, recipe
from pipelines.recipe.data_paths import find_beside
from pipelines.recipe.document import Document, Override
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.stage_checks import WHOLE_TRAINING, misplaced, unfit_outputs
from pipelines.recipe.stage_data import drop_test_share, drop_unread
from pipelines.recipe.yaml_reader import parse_override

EXAMPLE = "[{task: masked_lm}, {task: text_classification}]"
DESCRIPTION = "sections of recipes that are run in order, each from the model of the one before"
ORIGIN = ("checkpoint", "revision")  # of `model:`, where the first stage starts


class StagedRecipe(Section):
    """Recipes that are run in order, each from the model of the one before.

    Attributes:
        stages: later ones name the checkpoint of the first one, which a run replaces.
    """

    name: str
    stages: tuple[Recipe, ...]

    def values(self) -> dict[str, Any]:
        """Return what a file would hold; `from_values` of it gives the same stages."""
        return joined([stage.model_dump(mode="json", exclude_unset=True) for stage in self.stages])


def joined(stages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a file of these stages would hold, what they have in common at its top.

    `stages` are whole documents, and change.
    """
    whole: dict[str, Any] = {
        key: stages[-1].pop(key) for key in ("name", "hub") if key in stages[-1]
    }
    training = stages[-1].get("training", {})
    whole["training"] = {key: training[key] for key in WHOLE_TRAINING if key in training}
    for number, stage in enumerate(stages):
        stage.pop("name", None)
        for key in WHOLE_TRAINING:
            stage.get("training", {}).pop(key, None)
        for key in ORIGIN if number else ():
            stage["model"].pop(key, None)
    return {**whole, "stages": stages}


def load(path: str | Path, overrides: Iterable[str | Override] = ()) -> Recipe | StagedRecipe:
    """Read, override and check a recipe, with stages or without.

    Raises:
        RecipeError: one line for each thing that is wrong.
    """
    file = recipe_files.resolve(path)
    document = reading.layered(file)
    if "stages" not in document.values:
        return recipe.load(path, overrides)
    find_beside(document, file.parent)
    return _build(document, overrides, file.parent)


def from_values(
    values: Mapping[str, Any], overrides: Iterable[str | Override] = ()
) -> StagedRecipe:
    """Build and check a recipe with stages from plain values.

    Raises:
        RecipeError: one line for each thing that is wrong.
    """
    return _build(reading.from_values(values, "recipe"), overrides, None)


def _build(
    document: Document, overrides: Iterable[str | Override], folder: Path | None
) -> StagedRecipe:
    """Check every stage; mistakes of all of them are reported at once."""
    parsed = [parse_override(o) if isinstance(o, str) else o for o in overrides]
    layers = _layers(document)
    of_stage = [_overrides_of(parsed, number, len(layers)) for number in range(len(layers))]
    shared = [override for override in parsed if override.key[0] != "stages"]
    problems = [
        problem
        for number, layer in enumerate(layers)
        for problem in misplaced(number, layer, of_stage[number])
    ]
    recipes = []
    for stage in _documents(document, layers, [[*shared, *each] for each in of_stage]):
        if folder:
            find_beside(stage, folder)
        try:
            recipes.append(recipe.build(stage))
        except RecipeError as error:
            problems += str(error).splitlines()
    problems = problems or [*unfit_outputs(document, recipes)]
    if problems:
        # a mistake in what stages share is one of all of them
        raise RecipeError("\n".join(dict.fromkeys(problems)))
    return StagedRecipe(name=recipes[-1].name, stages=tuple(recipes))


def _layers(document: Document) -> list[Document]:
    """Return what each stage lays over the rest of the document; its places name the stage.

    Raises:
        RecipeError: no list of keys and values.
    """
    stages = document.values["stages"]
    place = document.place(("stages",))
    if not isinstance(stages, list) or not stages:
        raise RecipeError(f"{place}: stages: expected a list of one or more, such as {EXAMPLE}")
    layers = []
    for number, values in enumerate(stages):
        key = ("stages", str(number))
        if not isinstance(values, dict):
            raise RecipeError(
                f"{document.place(key)}: stages.{number}: {values!r}: should be keys and values, "
                "such as {task: masked_lm}"
            )
        places = {
            known[2:]: f"{place}: stages.{number}"
            for known, place in document.places.items()
            if known[:2] == key
        }
        origin = f"{document.place(key)}: stages.{number}"
        layers.append(Document(origin, deepcopy(values), {(): origin, **places}))
    return layers


def _overrides_of(overrides: list[Override], number: int, num_stages: int) -> list[Override]:
    """Return the overrides of one stage (`stages.1.strategy=lora`), as of a recipe of its own.

    Raises:
        RecipeError: an override of a stage that there is not.
    """
    result = []
    for key, value, place in overrides:
        if key[0] != "stages":
            continue
        if len(key) < 3 or not key[1].isdecimal() or int(key[1]) >= num_stages:
            raise RecipeError(
                f"{place}: '{'.'.join(key)}': expected a key of stages.0 to "
                f"stages.{num_stages - 1}, such as stages.0.training.num_train_epochs=1"
            )
        if int(key[1]) == number:
            result.append(Override(key[2:], value, f"{place}: stages.{number}"))
    return result


def _documents(
    document: Document, layers: list[Document], overrides: list[list[Override]]
) -> Iterator[Document]:
    """Yield the whole document of each stage."""
    tasks = [layer.get(("task",)) or document.get(("task",)) for layer in layers]
    first: Document | None = None
    for number, layer in enumerate(layers):
        stage = replace(document, origin=layer.origin, values=deepcopy(document.values))
        stage.places = {k: place for k, place in document.places.items() if k[0] != "stages"}
        del stage.values["stages"]
        if number < len(layers) - 1:
            stage.values.pop("hub", None)
        drop_unread(stage, layer, tasks)
        reading.lay(stage, layer)
        reading.override(stage, overrides[number])
        if number < len(layers) - 1:
            drop_test_share(stage)
        first = first or stage
        for key in (("model", name) for name in ORIGIN if number):
            if first.get(key) is not None:
                stage.put(key, first.get(key), first.place(key))
        yield stage
