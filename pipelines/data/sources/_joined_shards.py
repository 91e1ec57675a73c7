"""Files of a split -> one data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset


def join(shards: "Mapping[Path, Dataset]", unreadable: dict[str, str]) -> "Dataset":
    """Concatenate shards; a column that differs between them is left out, and `unreadable`.

    Args:
        shards: file -> its rows.
        unreadable: column -> why it is left out; those of these shards are added.

    Raises:
        DataError: they have no column in common.
    """
    from datasets import concatenate_datasets

    # an empty shard has no columns to compare
    filled = {file: shard for file, shard in shards.items() if len(shard)}
    if len(filled) < 2:
        return next(iter(filled.values() or shards.values()))
    first_file, first = next(iter(filled.items()))
    common = dict(first.features)
    for file, shard in filled.items():
        for name in first.features.keys() | shard.features.keys():
            if first.features.get(name) != shard.features.get(name):
                common.pop(name, None)
                unreadable.setdefault(
                    name,
                    f"{file}: other columns or types than in {first_file.name}; give '{name}' one "
                    "type in all shards of a split",
                )
    if not common:
        raise DataError(next(iter(unreadable.values())))
    return concatenate_datasets([shard.select_columns(list(common)) for shard in filled.values()])
