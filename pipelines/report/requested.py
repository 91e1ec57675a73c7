"""`checkpoints/requested.yaml`: the recipe as it was given; a resumed run is compared with it."""

from pathlib import Path

from pipelines.core.disk import replacing
from pipelines.core.errors import RecipeError, RunError
from pipelines.recipe import Recipe, build, reading, yaml_reader, yaml_writer
from pipelines.recipe.document import Document, anchored
from pipelines.report.privacy import without_tokens
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing


def write(folder: RunFolder, recipe: Recipe) -> None:
    """Write the keys that the recipe has itself into the run folder.

    Raises:
        RunError: the folder cannot be written.
    """
    values = without_tokens(recipe.model_dump(mode="json", exclude_unset=True))
    text = yaml_writer.text_of(values)
    with writing(folder.path):
        folder.checkpoints.mkdir(exist_ok=True)
    with writing(folder.path), replacing(folder.requested) as partial:
        partial.write_text(text, encoding="utf-8")


def read(file: Path) -> Recipe:
    """Read a recipe of a run folder, as it was given or as it was resolved.

    Raises:
        RunError: the file cannot be read, or holds no recipe of this version.
    """
    remedy = "begin a new run: leave --resume (training.resume_from_checkpoint) out"
    layer = document(file, remedy)
    layer.values = anchored(layer.values, Path.cwd())  # paths are those of the run
    try:
        return build(reading.from_layer(layer))
    except RecipeError as error:
        raise _damaged(error, remedy) from None


def document(file: Path, remedy: str) -> Document:
    """Read a YAML file of a run folder; relative paths in it stay as they are.

    Args:
        remedy: what to do about a file that is missing or damaged.

    Raises:
        RunError: the file cannot be read, or is not YAML.
    """
    try:
        return yaml_reader.as_written(file, f"{file}: cannot be read")
    except RecipeError as error:
        raise _damaged(error, remedy) from None


def _damaged(error: RecipeError, remedy: str) -> RunError:
    reason = str(error).partition("\n")[0]  # with file and line
    return RunError(f"{reason}; the file is damaged, or of another version: {remedy}")


def as_written(recipe: Recipe) -> Recipe:
    """Return the recipe as its file would hold it: without tokens."""
    values = without_tokens(recipe.model_dump(mode="json", exclude_unset=True))
    return Recipe.from_dict(values)
