"""Whether it pays to keep the activations of frozen blocks, measured."""

import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import cache, cache_folder
from pipelines.core.cache_entry import SUFFIX
from pipelines.features import chunks
from pipelines.features.skip_frozen_blocks import ACTIVATIONS, SkipFrozenBlocks
from pipelines.models import forward

if TYPE_CHECKING:
    import torch

    from pipelines.training.job import Job


def cost(job: "Job", shortcut: SkipFrozenBlocks) -> str | None:
    """Measure a batch and a file of its size; return why it would not pay, None where it does."""
    import torch

    rows, epochs = job.train, job.arguments.num_train_epochs
    model = job.checkpoint.model.eval()
    # every so many from long to short: a batch with lengths as those of a random one
    order = forward.by_length(rows)[:: max(1, len(rows) // job.arguments.train_batch_size)]
    batch = job.collate(forward.take(rows, order.tolist()))
    inputs = {k: v.to(model.device) for k, v in forward.without_labels(batch).items()}
    with torch.inference_mode():
        computing, activations = _seconds(lambda: shortcut.compute(**inputs))
    if "attention_mask" in inputs:  # training steps compute no padding
        computing *= float(inputs["attention_mask"].float().mean())
    share = len(order) / len(rows)
    writing, reading = _disk_seconds(activations.cpu())
    num_bytes = activations.nbytes / share
    free = shutil.disk_usage(_existing(cache_folder.path())).free
    if num_bytes > min(free / 2, cache_folder.limit()):
        return (
            f"{num_bytes / 1e9:,.1f} GB of activations are more than the disk or GRAFT_CACHE_GB "
            "allow"
        )
    # without: computed in each epoch; with: computed and written once, then read in each
    saved = (epochs - 1) * computing - writing - epochs * reading
    if saved <= 0:
        return f"{epochs:g} epochs save no more than keeping {num_bytes / 1e6:,.0f} MB costs"
    return None


def _seconds(compute: Callable[[], Any]) -> tuple[float, Any]:
    """Compute something twice: (seconds of the faster time, the result)."""
    seconds = []
    # the first pass prepares kernels
    for _ in range(2):
        start = time.perf_counter()
        result = compute()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def _disk_seconds(tensor: "torch.Tensor") -> tuple[float, float]:
    """Measure how long the cache takes to (write, read) a tensor."""
    # named like an entry, so that the cache can remove what a killed run leaves behind
    path = cache_folder.path() / chunks.KIND / f"{uuid.uuid4().hex}{SUFFIX}"
    writing, is_written = _seconds(lambda: cache.save({ACTIVATIONS: tensor.contiguous()}, path))
    if not is_written:
        return float("inf"), float("inf")
    reading, _ = _seconds(lambda: (cache.load(path) or {})[ACTIVATIONS].clone())
    path.unlink(missing_ok=True)
    return writing, reading


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
