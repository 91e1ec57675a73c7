"""What Python code gives to predict, without a file -> a Dataset: texts, pictures, tables."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.data import media_paths
from pipelines.data.media_columns import KINDS

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.workflow.inference.predictor import Predictor

SAMPLES = {"array", "sampling_rate"}  # keys of a sound
VALUES = (str, int, float, type(None))  # of one row, where a column would be a list


def dataset_of(given: Any, predictor: "Predictor") -> "Dataset":
    """Turn texts, pictures, sounds and Python's tables into a Dataset.

    Raises:
        DataError: they are something else.
    """
    from datasets import Dataset

    if isinstance(given, Dataset):
        return given
    if getattr(given, "ndim", None) == 1:  # a column of pandas, an array of texts
        given = given.tolist()
    try:
        if hasattr(given, "to_dict") and hasattr(given, "columns"):
            return Dataset.from_pandas(given, preserve_index=False)
        if isinstance(given, Mapping):
            return Dataset.from_dict(_columns(given))
        if isinstance(given, Sequence) and not isinstance(given, bytes):
            return _of_examples([*given], predictor)
    # pyarrow's are ValueErrors, too
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise DataError(f"input: no table can be made of it: {error}") from None
    kind = type(given).__name__
    raise DataError(f"input: expected texts, a path, a table or a Dataset, not {kind}")


def _columns(given: Mapping[Any, Any]) -> dict[str, list[Any]]:
    """Return columns; of a mapping that holds no lists, those of one row.

    Raises:
        DataError: some are lists, and some are not: a text would be a column of letters.
    """
    values = [name for name, column in given.items() if isinstance(column, VALUES)]
    if 0 < len(values) < len(given):
        raise DataError(
            f"input: column '{values[0]}' is {given[values[0]]!r}; expected a list, as others are"
        )
    return {str(name): [column] if values else list(column) for name, column in given.items()}


def _of_examples(given: list[Any], predictor: "Predictor") -> "Dataset":
    """Make rows of the only input that the model reads, or of mappings."""
    from datasets import Dataset, Features, Value

    task = predictor.task
    if given and task.modality not in KINDS and all(isinstance(row, Mapping) for row in given):
        return Dataset.from_dict(_columns_of_rows(given))
    roles = [role for role in task.roles if not role.endswith("?")]
    inputs = [role.rstrip("+") for role in roles if role != task.target]
    needed = [role for role in predictor.columns if role != task.target] or inputs
    if len(needed) > 1:
        raise DataError(
            f"{predictor.name} reads {', '.join(needed)}, and a text is one of them; expected a "
            "table, or JSON Lines on standard input, with a column for each"
        )
    if task.modality == "audio" and any(hasattr(each, "ndim") or _is_sound(each) for each in given):
        return Dataset.from_dict({needed[0]: _sounds(given)})
    if task.modality in KINDS:
        feature = media_paths.feature(task.modality)
        return Dataset.from_dict({needed[0]: given}, features=Features({needed[0]: feature}))
    if needed == ["tokens"] and all(isinstance(each, list) for each in given):
        return Dataset.from_dict({needed[0]: given})
    texts = [None if isinstance(each, float) and each != each else each for each in given]
    if wrong := [each for each in texts if each is not None and not isinstance(each, str)]:
        raise DataError(f"input: {wrong[0]!r}: expected texts")
    return Dataset.from_dict({needed[0]: texts}, features=Features({needed[0]: Value("string")}))


def _columns_of_rows(rows: Sequence[Mapping[Any, Any]]) -> dict[str, list[Any]]:
    """Return columns; a row without a key has nothing there."""
    columns: dict[str, list[Any]] = {}
    for name in dict.fromkeys(chain.from_iterable(rows)):
        columns[str(name)] = [row.get(name) for row in rows]
    return columns


def _is_sound(given: Any) -> bool:
    return isinstance(given, Mapping) and {*given} >= SAMPLES


def _sounds(given: Sequence[Any]) -> list[dict[str, Any]]:
    """Return samples with their rate, which arrays by themselves do not have.

    Raises:
        DataError: one is something else.
    """
    import numpy as np

    if wrong := [each for each in given if not _is_sound(each)]:
        raise DataError(
            f"input: a sound is {type(wrong[0]).__name__}; expected a file, or samples with their "
            "rate: {'array': …, 'sampling_rate': 16000}"
        )
    return [
        {"array": np.asarray(each["array"], "float32"), "sampling_rate": int(each["sampling_rate"])}
        for each in given
    ]
