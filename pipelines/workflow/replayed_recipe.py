"""The recipe that a run was trained by, to train by it again, and what overrides may change.

1. values    originals           -> what a file would hold, with the commits that locks name
2. build     values, overrides   -> Recipe
3. changes   two recipes         -> what the overrides change
4. is_free   Difference          -> does it leave weights and scores alone?
"""

import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from pipelines.recipe import Recipe, StagedRecipe, reading, staged
from pipelines.recipe import build as build_recipe
from pipelines.recipe.differences import Difference, differences
from pipelines.recipe.yaml_reader import parse_override
from pipelines.workflow.free_keys import FREE_TRAINING, PLACES
from pipelines.workflow.original import Original

# where results go, what is logged, and where that lies whose content is compared
FREE = re.compile(
    rf"name|hub(\..*)?|printed_lines|{PLACES.pattern}"
    r"|evaluation\.(out_of_distribution|forgetting)\.path"
    rf"|training\.(logging_.*|{'|'.join(sorted(FREE_TRAINING))})"
)
ALLOWED = (
    "only where results go (name, training.output_dir, hub), what is logged (training.report_to…) "
    "and where files lie (data.path, model.checkpoint) may be others"
)


def values(originals: tuple[Original, ...]) -> dict[str, Any]:
    """Return the recipe of a run as a file would hold it, with commits, and without a push."""
    documents = [_with_speed(original) for original in originals]
    for document in documents:
        document.pop("hub", None)  # whoever repeats a run pushes elsewhere
    return staged.joined(documents) if len(documents) > 1 else documents[0]


def _with_speed(original: Original) -> dict[str, Any]:
    """Return the values of a recipe, with what was decided by measured times as it was decided.

    Activations of frozen blocks that lie on disk are those of other batches, whose last digits are
    others.
    """
    values = deepcopy(original.values)
    decided = original.metrics.get("speed", {}).get("frozen_blocks")
    if decided and values.get("speed", {}).get("frozen_blocks") == "auto":
        values["speed"]["frozen_blocks"] = "on" if decided["on"] else "off"
    return values


def build(
    values: dict[str, Any], file: Path, overrides: Iterable[str] = ()
) -> Recipe | StagedRecipe:
    """Check a recipe with overrides as one that is read from `file`.

    Raises:
        RecipeError: one line for each thing that is wrong.
    """
    parsed = [*map(parse_override, overrides)]
    if "stages" in values:
        return staged.from_values(values, parsed)
    return build_recipe(reading.from_values(values, str(file), parsed))


def stages(recipe: Recipe | StagedRecipe) -> tuple[Recipe, ...]:
    """Return the recipe of each stage; that of a run without stages is its only one."""
    return recipe.stages if isinstance(recipe, StagedRecipe) else (recipe,)


def changes(before: Recipe | StagedRecipe, now: Recipe | StagedRecipe) -> Iterator[Difference]:
    """Yield the keys that overrides change, those of a stage as `stages.0.KEY`."""
    for number, (old, new) in enumerate(zip(stages(before), stages(now), strict=True)):
        prefix = f"stages.{number}." if isinstance(now, StagedRecipe) else ""
        for change in differences(old, new):
            yield Difference(f"{prefix}{change.key}", change.before, change.now)


def is_free(change: Difference) -> bool:
    """Return whether a change leaves weights and scores alone."""
    return bool(FREE.fullmatch(re.sub(r"^stages\.\d+\.", "", change.key)))
