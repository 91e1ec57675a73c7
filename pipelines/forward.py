"""One pass of a model over a data set: no gradients, no padding to speak of, rows in order.

Rows are sorted by length so that a batch holds little padding, spread over all processes, and
put back in the order of the data set. Features, predictions, evaluation during training and the
parity check all come from here.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.console import shows_bars

if TYPE_CHECKING:
    import torch

Read = Callable[[Any, dict[str, "torch.Tensor"]], dict[str, "Sequence[torch.Tensor]"]]
LENGTHS = ("input_ids", "input_values", "input_features")  # a row's size is this column's length
ANSWERS = ("labels", "start_positions", "end_positions")  # what models take to give their loss


def run(
    model: Any,
    rows: Any,
    collate: Callable[[list[Any]], dict[str, Any]],
    read: Read,
    *,
    batch_size: int = 64,
    num_workers: int = 0,
    title: str | None = None,
    with_labels: bool = False,
) -> dict[str, Any]:
    """Run `model` over encoded `rows`; `read(outputs, batch)` picks what to keep of each row.

    Gives back name -> (rows, …) float32, or a list of arrays where their shapes differ. The model
    sees the labels only `with_labels` (to give its loss); `read` always does. A progress bar
    appears under `title` on the main process.
    """
    import torch
    from accelerate import PartialState
    from accelerate.utils import gather_object
    from torch.utils.data import DataLoader
    from tqdm.auto import tqdm

    state = PartialState()
    # a model that is being trained keeps what it caches: that must not be inference tensors
    without_gradients = torch.no_grad if model.training else torch.inference_mode
    model = model.to(state.device).eval()
    batches = _batches(rows, batch_size, state.process_index, state.num_processes)
    mine = [row for batch in batches for row in batch]
    loader = DataLoader(rows, batch_sampler=batches, collate_fn=collate, num_workers=num_workers)
    hidden = title is None or not shows_bars()
    kept: dict[str, list[np.ndarray]] = {}
    with without_gradients():
        for batch in tqdm(loader, desc=title, disable=hidden):
            batch = {k: v.to(state.device) for k, v in batch.items()}
            seen = {k: v for k, v in batch.items() if with_labels or k not in ANSWERS}
            for name, entries in read(model(**seen), batch).items():
                kept.setdefault(name, []).extend(_on_cpu(entries))
    parts = [(mine, kept)] if state.num_processes == 1 else gather_object([(mine, kept)])
    return _in_order(parts, len(rows))


def by_length(rows: Any) -> np.ndarray:
    """Row numbers, longest first (a batch that does not fit in memory fails at once)."""
    found = lengths(rows)
    return np.arange(len(rows)) if found is None else np.argsort(-found, kind="stable")


def lengths(rows: Any) -> np.ndarray | None:
    """The length of each row; None where all have the same, as images do."""
    if hasattr(rows, "lengths"):
        return np.asarray(rows.lengths)
    column = next((n for n in LENGTHS if n in (getattr(rows, "column_names", None) or ())), None)
    if column is None:
        return None
    import pyarrow.compute as pc

    table = rows.select_columns([column]).with_format("arrow")[:]
    return pc.list_value_length(table[column]).to_numpy()


def _batches(rows: Any, size: int, process: int, num_processes: int) -> list[list[int]]:
    """The batches of one process; as many for each, some twice: a sharded model needs them in step.

    Rows whose `mixes_lengths` is False share a batch with rows of their own length only.
    """
    order = by_length(rows)
    if getattr(rows, "mixes_lengths", True):
        return _cut(_share(order.tolist(), process, num_processes), size)
    steps = np.flatnonzero(np.diff(rows.lengths[order])) + 1
    same = [batch for group in np.split(order, steps) for batch in _cut(group.tolist(), size)]
    return _share(same, process, num_processes)


def _cut(rows: list[int], size: int) -> list[list[int]]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def _share(items: list[Any], process: int, num_processes: int) -> list[Any]:
    """Every `num_processes`-th item; the first ones twice where the last ones do not go round."""
    missing = -len(items) % num_processes
    return (items + items[:missing])[process::num_processes]


def _on_cpu(entries: "Sequence[torch.Tensor]") -> "Sequence[np.ndarray]":
    """One copy where the rows are one tensor."""
    import torch

    if isinstance(entries, torch.Tensor):
        return entries.float().cpu().numpy()
    return [entry.float().cpu().numpy() for entry in entries]


def _in_order(parts: list[Any], num_rows: int) -> dict[str, Any]:
    """Name -> the entries of all rows, in the order of the data set."""
    entries: dict[str, list[Any]] = {}
    for indices, kept in parts:
        for name, values in kept.items():
            column = entries.setdefault(name, [None] * num_rows)
            for row, value in zip(indices, values, strict=True):
                column[row] = value
    return {name: _stacked(column) for name, column in entries.items()}


def _stacked(column: list[np.ndarray]) -> Any:
    return np.stack(column) if len({value.shape for value in column}) == 1 else column
