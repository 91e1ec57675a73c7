"""`checkpoints/requested.yaml`: the recipe as it was given; a resumed run is compared with it."""

from typing import TYPE_CHECKING

import yaml

from pipelines.core.disk import replacing
from pipelines.core.errors import RecipeError, RunError
from pipelines.recipe import Recipe
from pipelines.report.privacy import without_tokens
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: RunFolder, recipe: Recipe) -> None:
    """Write the keys that the recipe has itself into the run folder.

    Raises:
        RunError: the folder cannot be written.
    """
    values = without_tokens(recipe.model_dump(mode="json", exclude_unset=True))
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    with writing(folder.path):
        folder.checkpoints.mkdir(exist_ok=True)
    with writing(folder.path), replacing(folder.requested) as partial:
        partial.write_text(text, encoding="utf-8")


def read(file: "Path") -> Recipe:
    """Read a recipe of a run folder, as it was given or as it was resolved.

    Raises:
        RunError: the file cannot be read, or holds no recipe of this version.
    """
    remedy = "begin a new run: leave --resume (training.resume_from_checkpoint) out"
    try:
        # not as a recipe file: paths are those of the run, not beside this file
        return Recipe.from_dict(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise RunError(f"{file}: cannot be read ({error.strerror}); {remedy}") from None
    except (yaml.YAMLError, RecipeError, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RunError(f"{file}: damaged: {reason}; {remedy}") from None


def as_written(recipe: Recipe) -> Recipe:
    """Return the recipe as its file would hold it: without tokens."""
    values = without_tokens(recipe.model_dump(mode="json", exclude_unset=True))
    return Recipe.from_dict(values)
