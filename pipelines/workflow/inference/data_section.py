"""A path and keys of `data:` -> the section that reads it, or the columns that it names."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError
from pipelines.data.columns import Columns
from pipelines.recipe import Recipe
from pipelines.recipe.overrides import Overrides

if TYPE_CHECKING:
    from pipelines.data.sources import Source

# keys that say how rows are read; others choose rows or labels for training
READING = {"source", "path", "columns", "encoding", "separator", "splits", "text_format"}


def source_of(path: Path, overrides: Overrides) -> "Source":
    """Make the `data:` section that reads a path."""
    section = {"source": "files", "path": str(path.absolute())}
    # its task and model are not looked at: it only checks the keys of the data
    stand_in = {"task": "text_classification", "model": "owner/name", "data": section}
    return Recipe.from_dict(stand_in, overrides).data


def of_rows_to_predict(path: Path, overrides: Overrides) -> "Source":
    """Make the section of rows without labels, all of which are read.

    Raises:
        DataError: a key that would be ignored.
    """
    source = source_of(path, overrides)
    if others := source.model_fields_set - READING:
        raise DataError(
            f"data.{min(others)}: all rows are predicted, without labels; known here: "
            f"{', '.join(sorted(READING - {'source', 'path'}))}"
        )
    return source


def explicit_columns(overrides: Overrides) -> Columns:
    """Return the columns that overrides name, where there is no file.

    Raises:
        DataError: there are keys that say how a file is read.
    """
    source = source_of(Path(), overrides)
    if others := source.model_fields_set - {"source", "path", "columns"}:
        raise DataError(f"data.{min(others)}: there is no file that it could be about")
    return source.columns
