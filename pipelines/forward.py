"""One pass of a model over a data set: no gradients, no padding to speak of, rows in order.

Rows are sorted by length so that a batch holds little padding, spread over all processes, and
put back in the order of the data set. Features, predictions and the parity check all come from
here.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.console import shows_bars

if TYPE_CHECKING:
    import torch

Read = Callable[[Any, dict[str, "torch.Tensor"]], dict[str, "torch.Tensor"]]


def logits(model: Any, rows: Any, collate: Any, **options: Any) -> np.ndarray:
    """(rows, num_labels) float32 logits of `model`."""
    return run(model, rows, collate, lambda outputs, _: {"logits": outputs.logits}, **options)[
        "logits"
    ]


def run(
    model: Any,
    rows: Any,
    collate: Callable[[list[Any]], dict[str, Any]],
    read: Read,
    *,
    batch_size: int = 64,
    num_workers: int = 0,
    title: str | None = None,
) -> dict[str, np.ndarray]:
    """Run `model` over encoded `rows`; `read(outputs, batch)` picks the tensors to keep.

    Every kept tensor must have one entry for each row of the batch, and the same shape in every
    batch. A progress bar appears under `title` on the main process.
    """
    import torch
    from accelerate import PartialState
    from accelerate.utils import gather_object
    from torch.utils.data import DataLoader
    from tqdm.auto import tqdm

    state = PartialState()
    model = model.to(state.device).eval()
    order = by_length(rows)
    mine = order[state.process_index :: state.num_processes]
    batches = [mine[i : i + batch_size].tolist() for i in range(0, len(mine), batch_size)]
    loader = DataLoader(rows, batch_sampler=batches, collate_fn=collate, num_workers=num_workers)
    hidden = title is None or not shows_bars()
    kept: list[dict[str, np.ndarray]] = []
    with torch.inference_mode():
        for batch in tqdm(loader, desc=title, disable=hidden):
            batch = {k: v.to(state.device) for k, v in batch.items() if k != "labels"}
            tensors = read(model(**batch), batch)
            kept.append({k: v.float().cpu().numpy() for k, v in tensors.items()})
    parts = [(mine, kept)] if state.num_processes == 1 else gather_object([(mine, kept)])
    return _in_order(parts, len(rows))


def by_length(rows: Any) -> np.ndarray:
    """Row numbers, longest first (a batch that does not fit in memory fails at once)."""
    if "input_ids" not in (getattr(rows, "column_names", None) or ()):
        return np.arange(len(rows))
    import pyarrow.compute as pc

    table = rows.select_columns(["input_ids"]).with_format("arrow")[:]
    lengths = pc.list_value_length(table["input_ids"]).to_numpy()
    return np.argsort(-lengths, kind="stable")


def _in_order(parts: list[Any], num_rows: int) -> dict[str, np.ndarray]:
    filled: dict[str, np.ndarray] = {}
    for indices, kept in parts:
        for name in kept[0] if kept else ():
            values = np.concatenate([batch[name] for batch in kept])
            array = filled.setdefault(name, np.empty((num_rows, *values.shape[1:]), values.dtype))
            array[indices] = values
    return filled
