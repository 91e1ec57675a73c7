"""A word in each row of a table -> a sentence in each row.

The column `sentence` says which rows belong together: those that follow one another with one value
in it, or with none behind the first, as spreadsheets have it.
"""

from typing import TYPE_CHECKING

from pipelines.core.errors import DataError
from pipelines.core.upstream import dataset_fingerprint

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from pipelines.data.dataset import Note

ROLE = "sentence"
MAX_SENTENCES_PER_ID = 2  # on average; ids may begin anew in each document


def group(dataset: "Dataset", split: str, note: "Note") -> "Dataset":
    """Group rows of words into sentences; what holds sentences stays as it is.

    Args:
        dataset: with the columns of a task that has `tokens`.
        note: is called with what was done.

    Raises:
        DataError: nothing says where sentences end, or their rows are not together.
    """
    from datasets import List

    if any(isinstance(feature, List) for feature in dataset.features.values()):
        return dataset.remove_columns([ROLE]) if ROLE in dataset.column_names else dataset
    if ROLE not in dataset.column_names:
        raise DataError(
            f"{split}: column 'tokens' holds {dataset[0]['tokens']!r}; expected a list of words, "
            "or a word in each row beside a column that says which sentence it is in: "
            "data.columns.sentence=…"
        )
    table = dataset.with_format("arrow")[:]
    starts = starts_of(table[ROLE], split)
    sentences = _lists(dataset, table, starts)
    note(f"{split}: {len(dataset):,} rows of words are {len(sentences):,} sentences")
    return sentences


def starts_of(column: "pa.ChunkedArray", split: str) -> "pa.Array":
    """Find the rows in which sentences begin, and after them the number of rows.

    Args:
        column: (rows,) the sentence of each word; empty behind the first word.

    Raises:
        DataError: the first row is in no sentence, or rows of a sentence are scattered.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = pc.fill_null_forward(column.combine_chunks())
    if ids.null_count:
        raise DataError(f"{split}, row 0: the column '{ROLE}' is empty; expected a sentence's id")
    changed = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.flatnonzero(changed) + 1])
    num_ids = pc.count_distinct(ids).as_py()
    # most sentences have several words: these were shuffled
    if len(starts) > max(MAX_SENTENCES_PER_ID * num_ids, len(ids) / 2):
        raise DataError(
            f"{split}: the rows of a sentence are not together: {num_ids:,} ids in the column "
            f"'{ROLE}' change {len(starts):,} times in {len(ids):,} rows; sort the table"
        )
    return pa.array(np.append(starts, len(ids)), pa.int32())


def _lists(dataset: "Dataset", table: "pa.Table", starts: "pa.Array") -> "Dataset":
    """Make a list of each column, but for the ids."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from datasets import Dataset, Features, List, Value
    from datasets.fingerprint import Hasher

    names = [name for name in dataset.column_names if name != ROLE]
    values = {name: table[name].combine_chunks() for name in names}
    # where all words are numbers, the table's reader made numbers of them
    values["tokens"] = pc.cast(values["tokens"], pa.string())
    columns = {name: pa.ListArray.from_arrays(starts, values[name]) for name in names}
    features = {name: List(dataset.features[name]) for name in names}
    features["tokens"] = List(Value("string"))
    schema = Features(features).arrow_schema
    return Dataset(
        pa.table(columns).cast(schema),
        fingerprint=Hasher.hash(["word rows 1", dataset_fingerprint(dataset)]),
    )
