"""One pass of a model over a data set: no gradients, no padding to speak of, rows in order.

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

Read = Callable[[Any, dict[str, "torch.Tensor"]], dict[str, "Sequence[torch.Tensor]"]]
ANSWERS = ("labels", "start_positions", "end_positions")  # what models take to give their loss
SHORT = 64  # tokens: batches of shorter rows are too small to keep a processor busy


def run(
    model: Any, rows: Any, collate: Callable[[list[Any]], dict[str, Any]], read: Read, **how: Any
) -> dict[str, Any]:
    """Run `model` over all encoded `rows`; `read(outputs, batch)` picks what to keep of each row.

    Gives back name -> (rows, …) float32, or a list of arrays where their shapes differ. `how` are
    the options of `steps`.
    """
    from accelerate import PartialState
    from accelerate.utils import gather_object

    mine = list(steps(model, rows, collate, read, **how))
    parts = [(numbers, {k: _arrays(v) for k, v in kept.items()}) for numbers, kept in mine]
    if PartialState().num_processes > 1:
        parts = gather_object(parts)
    return _in_order(parts, len(rows))


def steps(
    model: Any,
    rows: Any,
    collate: Callable[[list[Any]], dict[str, Any]],
    read: Read,
    *,
    numbers: np.ndarray | None = None,
    batch_size: int = 64,
    num_workers: int = 0,
    bf16: bool = False,
    title: str | None = None,
    with_labels: bool = False,
) -> Iterator[tuple[list[int], dict[str, "Sequence[torch.Tensor]"]]]:
    """The batches of this process: (numbers of their rows, what `read` keeps, on the CPU).

    Only the rows of the `numbers`, if there are any; longest first. The model sees the labels only
    `with_labels` (to give its loss); `read` always does. With `bf16` it computes in mixed
    precision. A progress bar appears under `title` on the main process.
    """
    import torch
    from accelerate import PartialState
    from torch.utils.data import DataLoader
    from tqdm.auto import tqdm

    state = PartialState()
    # a model that is being trained keeps what it caches: that must not be inference tensors
    without_gradients = torch.no_grad if model.training else torch.inference_mode
    model = model.to(state.device).eval()
    batches = _batches(rows, numbers, batch_size, state.process_index, state.num_processes)
    loader = DataLoader(rows, batch_sampler=batches, collate_fn=collate, num_workers=num_workers)
    hidden = title is None or not shows_bars()
    bar = tqdm(total=sum(map(len, batches)), desc=title, unit="rows", disable=hidden)
    for mine, batch in zip(batches, loader, strict=True):
        batch = {k: v.to(state.device) for k, v in batch.items()}
        seen = {k: v for k, v in batch.items() if with_labels or k not in ANSWERS}
        with without_gradients(), torch.autocast(state.device.type, torch.bfloat16, bf16):
            kept = read(model(**seen), batch)
        yield mine, {name: _on_cpu(entries) for name, entries in kept.items()}
        bar.update(len(mine))
    bar.close()


def by_length(rows: Any) -> np.ndarray:
    """Row numbers, longest first (a batch that does not fit in memory fails at once)."""
    found = lengths(rows)
    return np.arange(len(rows)) if found is None else np.argsort(-found, kind="stable")


def lengths(rows: Any) -> np.ndarray | None:
    """The length of each row; None where all have the same, as images do."""
    return getattr(rows, "lengths", None)


def _batches(
    rows: Any, numbers: np.ndarray | None, size: int, process: int, num_processes: int
) -> list[list[int]]:
    """The batches of one process; as many for each, some twice: a sharded model needs them in step.

    A batch holds as many tokens as `size` rows of the mean length, or of `SHORT` tokens if that is
    more, padding included. Rows whose `mixes_lengths` is False share one with rows of their own
    length only.
    """
    order, found = by_length(rows), lengths(rows)
    if numbers is not None:
        order = order[np.isin(order, numbers)]
    if found is None:
        batches = _cut(order, np.ones(len(order), int), size)
    elif getattr(rows, "mixes_lengths", True):
        batches = _cut(order, found[order], size * max(SHORT, found.mean()))
    else:
        groups = np.split(order, np.flatnonzero(np.diff(found[order])) + 1)
        budget = size * found.mean()
        batches = [batch for group in groups for batch in _cut(group, found[group], budget)]
    missing = -len(batches) % num_processes
    again = (batches * num_processes)[:missing]
    return (batches + again)[process::num_processes]


def _cut(order: np.ndarray, sizes: np.ndarray, budget: float) -> list[list[int]]:
    """Consecutive rows, of falling sizes, in batches that hold `budget` when padded."""
    batches, start = [], 0
    while start < len(order):
        count = max(1, int(budget // max(1, sizes[start])))
        batches.append(order[start : start + count].tolist())
        start += count
    return batches


def _on_cpu(entries: "Sequence[torch.Tensor]") -> "Sequence[torch.Tensor]":
    """One copy where the rows are one tensor."""
    import torch

    return entries.cpu() if isinstance(entries, torch.Tensor) else [e.cpu() for e in entries]


def _arrays(entries: "Sequence[torch.Tensor]") -> Any:
    """An array for each row: float32."""
    import torch

    if isinstance(entries, torch.Tensor):
        return entries.float().numpy()
    return [entry.float().numpy() for entry in entries]


def _in_order(parts: list[Any], num_rows: int) -> dict[str, Any]:
    """Name -> the entries of all rows, in the order of the data set."""
    entries: dict[str, list[Any]] = {}
    for numbers, kept in parts:
        for name, values in kept.items():
            column = entries.setdefault(name, [None] * num_rows)
            for row, value in zip(numbers, values, strict=True):
                column[row] = value
    return {name: _stacked(column) for name, column in entries.items()}


def _stacked(column: list[np.ndarray]) -> Any:
    return np.stack(column) if len({value.shape for value in column}) == 1 else column
