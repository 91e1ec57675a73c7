"""Columns of numbers that a task reads as texts: as the file spells them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.data.dataset import Note
from pipelines.data.usual_columns import Columns, names_in

if TYPE_CHECKING:
    from datasets import Dataset

ROLES = ("text", "text_pair", "question", "context", "choices")


def as_spelled(
    datasets: "Mapping[str, Dataset]",
    names: Mapping[str, str],
    available: "Mapping[str, Dataset]",
    roles: Columns,
    note: Note,
) -> "dict[str, Dataset]":
    """Read numbers in the roles of texts again, as texts.

    Args:
        datasets: split -> its rows, as they were loaded.
        names: split -> its name in the source.
        available: what the source has loaded.
        roles: role -> column.
        note: is called with the columns that are texts then.

    Returns:
        split -> its rows; the same ones where a source does not know how numbers are spelled.
    """
    wanted = {name for dataset in datasets.values() for name in _numbers(dataset, roles)}
    read_again = getattr(available, "spelled", None)
    if not wanted or not read_again:
        return dict(datasets)
    written = read_again(wanted)
    result = {split: _integers_as_texts(written[names[split]], roles) for split in datasets}
    left = {name for dataset in result.values() for name in _numbers(dataset, roles)}
    if read := sorted(wanted - left):
        note(f"numbers read as texts, as the file spells them: {', '.join(read)}")
    return result


def _integers_as_texts(dataset: "Dataset", roles: Columns) -> "Dataset":
    """Spell the integers of JSON and parquet, which have one spelling; fractions have several."""
    from datasets import Value

    for name in _numbers(dataset, roles):
        if dataset.features[name].dtype.startswith("int"):
            dataset = dataset.cast_column(name, Value("string"))
    return dataset


def _numbers(dataset: "Dataset", roles: Columns) -> list[str]:
    """Return the columns of numbers in the roles of texts; of an answer, the text comes first."""
    texts = {role: column for role, column in roles.items() if role in ROLES}
    answer = roles.get("answers", "")
    columns = [*names_in(texts), *(answer[:1] if isinstance(answer, list) else ())]
    kinds = {name: getattr(dataset.features.get(name), "dtype", "") for name in columns}
    return [name for name, kind in kinds.items() if kind.startswith(("int", "float"))]
