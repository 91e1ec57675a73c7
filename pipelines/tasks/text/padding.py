"""Encoded texts of different lengths -> one batch of tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import IGNORED
from pipelines.tasks import Batch
from pipelines.tasks.encoding.columns import Ragged, Row, SelectedRows, take_columns

if TYPE_CHECKING:
    import torch

IDS, TYPES, MASK, LABELS = "input_ids", "token_type_ids", "attention_mask", "labels"


@dataclass(frozen=True)
class Padding:
    """A collator that pads each column to the longest row of the batch, as the tokenizer would.

    Labels of tokens are padded with -100. The attention mask follows from the lengths, so encoded
    rows need not hold one.

    Attributes:
        fills: column -> its padding value; a batch has no other columns.
        on_left: whether padding comes first.
    """

    fills: Mapping[str, int]
    on_left: bool

    @classmethod
    def of(cls, tokenizer: Any) -> "Padding":
        """Take values and side of the padding from `tokenizer`."""
        known = {IDS: tokenizer.pad_token_id, TYPES: tokenizer.pad_token_type_id, MASK: 0}
        fills = {name: known[name] for name in tokenizer.model_input_names if name in known}
        return cls({**fills, LABELS: IGNORED}, tokenizer.padding_side == "left")

    def __call__(self, rows: SelectedRows | Sequence[Row]) -> Batch:
        """Return (lists, tokens) for columns of lists, (rows,) for numbers; int64 or float32."""
        columns = take_columns(rows, self.fills)
        ids = columns[IDS]
        if MASK in self.fills and isinstance(ids, Ragged):
            columns[MASK] = Ragged(np.ones(len(ids.values), int), ids.lengths)
        return {name: self._tensor(columns[name], self.fills[name]) for name in columns}

    def _tensor(self, column: Ragged | np.ndarray, fill: int) -> "torch.Tensor":
        import torch

        array = self._padded(column, fill) if isinstance(column, Ragged) else column
        # torch's embeddings and losses take int64; numbers to regress on are float64 in numpy
        return torch.from_numpy(array).to(torch.float32 if array.dtype.kind == "f" else torch.int64)

    def _padded(self, column: Ragged, fill: int) -> np.ndarray:
        tokens = np.arange(column.lengths.max())
        # the distance of each place from the side on which the values stand
        distance = tokens[::-1] if self.on_left else tokens
        is_value = distance < column.lengths[:, None]
        padded = np.full(is_value.shape, fill, column.values.dtype)
        padded[is_value] = column.values
        return padded
