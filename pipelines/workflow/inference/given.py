"""What a user gives to predict: texts, files, folders, tables or Python objects -> Inputs."""

import re
from collections.abc import Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.console import printable
from pipelines.core.errors import DataError
from pipelines.data import input_columns, media_inputs
from pipelines.data import inputs as data_inputs
from pipelines.data.dataset import Note
from pipelines.data.inputs import Inputs
from pipelines.data.media_columns import KINDS
from pipelines.data.usual_columns import names_in
from pipelines.recipe.overrides import Overrides
from pipelines.workflow.inference import data_section, standard_input
from pipelines.workflow.inference.python_inputs import dataset_of

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.workflow.inference.predictor import Predictor

STDIN = "-"
MAX_SHOWN = 60  # characters of an input, in a message
# a word with a file's suffix, or that begins like a path: a file was meant, and not a text
LIKE_A_PATH = re.compile(r"(\.{0,2}/|~/)?\S*\.[a-zA-Z]{2,7}|(\.{1,2}/|~/|/)\S+")


def read(
    given: Any,
    predictor: "Predictor",
    note: Note,
    *,
    overrides: Overrides = None,
    split: str | None = None,
    spelled: bool = False,
    are_words: bool = False,
) -> Inputs:
    """Read rows to predict.

    Args:
        given: a path, a text, `-` for standard input, a list of texts, of files, of pictures or of
            rows, a mapping of columns, or of one row, a pandas table or a `Dataset`.
        overrides: keys of `data:`, such as `data.columns.text=review`.
        split: of a folder with several.
        spelled: keep the columns of text files as the files spell them.
        are_words: of a command line, where each may be a path; in a list, texts are texts.

    Raises:
        DataError: there is no such file, or nothing in it that can be predicted.
        RecipeError: an override that no data have.
    """
    task, is_media = predictor.task, predictor.task.modality in KINDS
    if isinstance(given, str | Path):
        given, are_words = [given], True
    if are_words and STDIN in given:
        if len(given) > 1:
            raise DataError(f"{STDIN}: beside other inputs; standard input stands alone")
        trained = {role: name for role, name in predictor.columns.items() if role != task.target}
        given, are_words = standard_input.read(note, names_in(trained)), False
    if paths := _paths(given, is_media=is_media, are_words=are_words):
        if is_media and media_inputs.are_files(paths, task.modality):
            return media_inputs.read(paths, task.modality, note)
        if len(paths) > 1:
            raise DataError(f"{paths[1]}: a second input; expected one table or folder of tables")
        source = data_section.of_rows_to_predict(paths[0], overrides)
        return data_inputs.load(source, split, task, predictor.columns, note, spelled=spelled)
    return _of_dataset(dataset_of(given, predictor), predictor, overrides, note)


def _words(given: Any) -> Iterator[Any]:
    """Yield the inputs, where they are several."""
    if isinstance(given, Sequence) and not isinstance(given, bytes):
        yield from given


def _paths(given: Any, *, is_media: bool, are_words: bool) -> list[Path]:
    """Return the paths that are given; none where the inputs are something else.

    Raises:
        DataError: a file that is not there, or that stands beside texts.
    """
    inputs = [*_words(given)]
    may_name = [is_media or are_words or not isinstance(each, str) for each in inputs]
    are_paths = [
        may and _is_path(each, is_media=is_media)
        for each, may in zip(inputs, may_name, strict=True)
    ]
    paths = [Path(each).expanduser() for each in compress(inputs, are_paths)]
    if paths and not all(are_paths):
        other = printable(repr(inputs[are_paths.index(False)]), MAX_SHOWN)
        raise DataError(
            f"{paths[0]}: a file beside {other}; expected files and folders, or texts; a key is "
            "one of the data, such as data.columns.text=review"
        )
    return paths


def _is_path(given: Any, *, is_media: bool) -> bool:
    """Return whether an input names a file or a folder, as all words do where examples are files.

    Raises:
        DataError: it looks like the path of a file that is not there.
    """
    if isinstance(given, Path):
        return True
    if not isinstance(given, str) or given == STDIN or not given.strip():
        return False
    try:
        exists = Path(given).expanduser().exists()
    except (OSError, ValueError):  # a text may be too long for a path, or hold a null
        return False
    if not exists and (is_media or LIKE_A_PATH.fullmatch(given)):
        advice = "" if is_media else "; a text that looks like one goes to standard input (-)"
        raise DataError(f"{given}: no such file or folder{advice}")
    return exists


def _of_dataset(
    dataset: "Dataset", predictor: "Predictor", overrides: Overrides, note: Note
) -> Inputs:
    explicit = data_section.explicit_columns(overrides)
    if not len(dataset):
        raise DataError("input: there are no rows to predict")
    roles = input_columns.assign(dataset, predictor.task, predictor.columns, explicit)
    return data_inputs.named(dataset, predictor.task, roles, Path(), note)
