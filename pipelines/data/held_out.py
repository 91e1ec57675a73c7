"""Rows without those whose texts a later stage is tested on."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.errors import DataError
from pipelines.data.dataset import Data

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

BATCH_ROWS = 10_000  # compared at a time
ROLES = ("text", "text_pair")


def without_texts(data: Data, held_out: "Dataset") -> Data:
    """Leave out of train and validation the rows whose text stands in `held_out`, and drop test.

    White space around a text makes no difference. Data without texts only lose their test split.

    Args:
        held_out: rows with the columns `text` and, of pairs, `text_pair`.

    Raises:
        DataError: no row would be left of a split.
    """
    data = data.without("test")
    texts = _texts(held_out)
    if texts is None or "text" not in data.train.column_names:
        return data
    splits, notes = {}, []
    for split, rows in data.splits.items():
        positions = np.flatnonzero(~_is_in(rows.dataset, texts))
        if not len(positions):
            raise DataError(
                f"{split}: each of its {len(rows):,} texts is one of the last stage's test split; "
                "expected others to adapt to"
            )
        splits[split] = rows if len(positions) == len(rows) else rows.select(positions)
        if left_out := len(rows) - len(positions):
            notes.append(f"{split}: {left_out:,} texts left out: the last stage is tested on them")
    stream = data.stream
    if stream is not None:
        known = frozenset(texts.to_pylist())
        stream = stream.filter(lambda row: (row["text"] or "").strip() not in known)
    return replace(data, splits=splits, notes=(*data.notes, *notes), stream=stream)


def _texts(held_out: "Dataset") -> "pa.Array | None":
    """Return the texts to leave out, those of pairs also joined as `data.columns` joins them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [name for name in ROLES if _is_text(held_out, name)]
    if not names:
        return None
    table = held_out.select_columns(names).with_format("arrow")[:]
    columns = [pc.utf8_trim_whitespace(table[name].cast("string")) for name in names]
    if len(columns) > 1:
        joined = pc.binary_join_element_wise(*(table[n].cast("string") for n in names), " ")
        columns.append(pc.utf8_trim_whitespace(joined))
    chunks = [chunk for column in columns for chunk in column.chunks]
    return pa.chunked_array(chunks, "string").unique()


def _is_in(dataset: "Dataset", texts: "pa.Array") -> np.ndarray:
    """Return (rows,) whether the text of a row is one of `texts`."""
    import pyarrow.compute as pc

    batches = dataset.select_columns(["text"]).with_format("arrow").iter(BATCH_ROWS)
    trimmed = (pc.utf8_trim_whitespace(batch["text"].cast("string")) for batch in batches)
    return np.concatenate([pc.is_in(column, texts).to_numpy() for column in trimmed])


def _is_text(dataset: "Dataset", name: str) -> bool:
    return getattr(dataset.features.get(name), "dtype", "") in ("string", "large_string")
