"""Forward passes over a data set: no gradients, little padding, results in the order of the rows.

Rows are sorted by length so that a batch holds little padding, cut so that every batch holds about
as many tokens, spread over all processes, and put back in the order of the data set. Features,
predictions, evaluation during training and the parity check all come from here.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.console import shows_bars

if TYPE_CHECKING:
    import torch

Collate = Callable[[Any], dict[str, Any]]
# (model outputs, batch) -> name -> what to keep of each row
Collect = Callable[[Any, dict[str, "torch.Tensor"]], dict[str, "Sequence[torch.Tensor]"]]
# with these among its inputs a model computes its loss, too
LABEL_KEYS = ("labels", "start_positions", "end_positions")
MIN_TOKENS_PER_ROW = 64  # batches of shorter rows are too small to keep a processor busy


def run(
    model: Any, rows: Any, collate: Collate, collect: Collect, **options: Any
) -> dict[str, Any]:
    """Run `model` over all encoded `rows` and collect its outputs on every process.

    Args:
        collect: picks what to keep of each row from a batch's outputs.
        options: passed to `iter_batches`.

    Returns:
        name -> (rows, …) float32, or a list of arrays where their shapes differ.
    """
    from accelerate import PartialState
    from accelerate.utils import gather_object

    results = []
    for row_ids, outputs in iter_batches(model, rows, collate, collect, **options):
        results.append((row_ids, {name: _arrays(entries) for name, entries in outputs.items()}))
    if PartialState().num_processes > 1:
        # as objects: outputs of one length for each row are no tensor that could be gathered
        results = gather_object(results)
    return _in_order(results, len(rows))


def iter_batches(
    model: Any,
    rows: Any,
    collate: Collate,
    collect: Collect,
    *,
    row_ids: np.ndarray | None = None,
    batch_size: int = 64,
    num_workers: int = 0,
    bf16: bool = False,
    title: str | None = None,
    with_labels: bool = False,
) -> Iterator[tuple[list[int], dict[str, "Sequence[torch.Tensor]"]]]:
    """Run the batches of this process, those of the longest rows first.

    Args:
        row_ids: the rows to compute; None for all.
        batch_size: rows of mean length in a batch; shorter rows share larger batches.
        bf16: compute in mixed precision.
        title: of a progress bar on the main process; None for no bar.
        with_labels: pass the labels to the model, which then gives its loss. `collect` always gets
            them.

    Yields:
        The row ids of a batch, and what `collect` keeps of it, on the CPU.
    """
    import torch
    from accelerate import PartialState
    from torch.utils.data import DataLoader

    state = PartialState()
    # a model in training may cache tensors, and inference tensors cannot take part in autograd
    without_gradients = torch.no_grad if model.training else torch.inference_mode
    # it stays in eval mode: the Trainer calls `train()` before each of its steps
    model = model.to(state.device).eval()
    batches = _batches(rows, row_ids, batch_size, state.process_index, state.num_processes)
    loader = DataLoader(rows, batch_sampler=batches, collate_fn=collate, num_workers=num_workers)
    with _bar(sum(map(len, batches)), title) as bar:
        for batch_ids, batch in zip(batches, loader, strict=True):
            batch = {k: v.to(state.device) for k, v in batch.items()}
            inputs = batch if with_labels else without_labels(batch)
            with without_gradients(), torch.autocast(state.device.type, torch.bfloat16, bf16):
                outputs = collect(model(**inputs), batch)
            yield batch_ids, {name: _on_cpu(entries) for name, entries in outputs.items()}
            bar.update(len(batch_ids))


def _bar(num_rows: int, title: str | None) -> Any:
    from tqdm.auto import tqdm

    is_hidden = title is None or not shows_bars()
    return tqdm(total=num_rows, desc=title, unit="rows", disable=is_hidden)


def sample_batch(rows: Any, collate: Collate) -> dict[str, "torch.Tensor"]:
    """Collate four rows into a batch without labels, to test what a model can do.

    Two are the longest and two the shortest: on texts of one token all poolings look the same.
    """
    order = by_length(rows)
    return without_labels(collate(take(rows, [*order[:2].tolist(), *order[-2:].tolist()])))


def without_labels(batch: dict[str, Any]) -> dict[str, Any]:
    """Select the inputs from which a model computes logits, and no loss."""
    return {name: tensor for name, tensor in batch.items() if name not in LABEL_KEYS}


def take(rows: Any, row_ids: list[int]) -> Any:
    """Read some rows the way a DataLoader does: all at once where `rows` can."""
    read = getattr(rows, "__getitems__", None)
    return read(row_ids) if read else [rows[row_id] for row_id in row_ids]


def by_length(rows: Any) -> np.ndarray:
    """Sort row ids, longest first: a batch that does not fit in memory then fails at once."""
    row_lengths = lengths(rows)
    if row_lengths is None:
        return np.arange(len(rows))
    # stable, since batches have to be the same on every process and every kind of CPU
    return np.argsort(-row_lengths, kind="stable")


def lengths(rows: Any) -> np.ndarray | None:
    """Get the length of each row, (rows,); None where all have the same, as images do."""
    return getattr(rows, "lengths", None)


def _batches(
    rows: Any, row_ids: np.ndarray | None, size: int, process: int, num_processes: int
) -> list[list[int]]:
    """Cut `row_ids` into the batches of one process.

    A batch holds as many tokens as `size` rows of the mean length, padding included. Rows whose
    `mixes_lengths` is False share one with rows of their own length only.
    """
    order, row_lengths = by_length(rows), lengths(rows)
    if row_ids is not None:
        order = order[np.isin(order, row_ids)]
    if row_lengths is None:
        batches = _cut(order, np.ones(len(order), int), size)
    elif getattr(rows, "mixes_lengths", True):
        budget = size * max(MIN_TOKENS_PER_ROW, row_lengths.mean())
        batches = _cut(order, row_lengths[order], budget)
    else:
        batches, budget = [], size * row_lengths.mean()
        for group in np.split(order, np.flatnonzero(np.diff(row_lengths[order])) + 1):
            batches += _cut(group, row_lengths[group], budget)
    # a sharded model needs all processes in every forward pass: some batches are computed twice
    missing = -len(batches) % num_processes
    repeated = (batches * num_processes)[:missing]
    return (batches + repeated)[process::num_processes]


def _cut(order: np.ndarray, sizes: np.ndarray, budget: float) -> list[list[int]]:
    """Cut rows of falling sizes into consecutive batches of at most `budget`, padding included."""
    batches, start = [], 0
    while start < len(order):
        num_rows = max(1, int(budget // max(1, sizes[start])))
        batches.append(order[start : start + num_rows].tolist())
        start += num_rows
    return batches


def _on_cpu(entries: "Sequence[torch.Tensor]") -> "Sequence[torch.Tensor]":
    """Copy entries to the CPU, in one piece where the rows are one tensor."""
    import torch

    return entries.cpu() if isinstance(entries, torch.Tensor) else [e.cpu() for e in entries]


def _arrays(entries: "Sequence[torch.Tensor]") -> Any:
    """Convert the entries of rows to float32 arrays."""
    import torch

    if isinstance(entries, torch.Tensor):
        # numpy has no bfloat16
        return entries.float().numpy()
    return [entry.float().numpy() for entry in entries]


def _in_order(results: list[Any], num_rows: int) -> dict[str, Any]:
    """Sort the entries of all batches into the order of the data set, by name."""
    columns: dict[str, list[Any]] = {}
    for row_ids, outputs in results:
        for name, entries in outputs.items():
            column = columns.setdefault(name, [None] * num_rows)
            # a batch that two processes computed writes the same entries again
            for row_id, entry in zip(row_ids, entries, strict=True):
                column[row_id] = entry
    return {name: _stacked(column) for name, column in columns.items()}


def _stacked(column: list[np.ndarray]) -> Any:
    return np.stack(column) if len({entry.shape for entry in column}) == 1 else column
