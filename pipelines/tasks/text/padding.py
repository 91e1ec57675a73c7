"""Encoded texts of different lengths -> one batch of tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import IGNORED
from pipelines.tasks import Batch
from pipelines.tasks.encoding.columns import Chosen, Ragged, Row, by_column

if TYPE_CHECKING:
    import torch

IDS, TYPES, MASK, LABELS = "input_ids", "token_type_ids", "attention_mask", "labels"


@dataclass(frozen=True)
class Padding:
    """Pads each column to the longest row of the batch, as the tokenizer would; labels of tokens
    with -100.

    The attention mask is where no padding is: encoded rows need not hold one.

    Attributes:
        fills: what each column is padded with; a batch has no others.
    """

    fills: Mapping[str, int]
    on_left: bool

    @classmethod
    def of(cls, tokenizer: Any) -> "Padding":
        """With the values that `tokenizer` pads with, and on its side."""
        known = {IDS: tokenizer.pad_token_id, TYPES: tokenizer.pad_token_type_id, MASK: 0}
        fills = {name: known[name] for name in tokenizer.model_input_names if name in known}
        return cls({**fills, LABELS: IGNORED}, tokenizer.padding_side == "left")

    def __call__(self, rows: Chosen | Sequence[Row]) -> Batch:
        """(lists, tokens) of columns of lists, (rows,) of numbers; int64, floats float32."""
        columns = by_column(rows, self.fills)
        ids = columns[IDS]
        if MASK in self.fills and isinstance(ids, Ragged):
            columns[MASK] = Ragged(np.ones(len(ids.values), int), ids.lengths)
        return {name: self._tensor(columns[name], self.fills[name]) for name in columns}

    def _tensor(self, column: Ragged | np.ndarray, fill: int) -> "torch.Tensor":
        import torch

        array = self._padded(column, fill) if isinstance(column, Ragged) else column
        return torch.from_numpy(array).to(torch.float32 if array.dtype.kind == "f" else torch.int64)

    def _padded(self, column: Ragged, fill: int) -> np.ndarray:
        tokens = np.arange(column.lengths.max())
        there = (tokens[::-1] if self.on_left else tokens) < column.lengths[:, None]
        padded = np.full(there.shape, fill, column.values.dtype)
        padded[there] = column.values
        return padded
