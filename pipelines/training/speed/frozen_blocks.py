"""What frozen blocks give, kept: training goes on from there, and never runs them again.

    rows ── frozen blocks ──▶ activations, on disk          once
    rows + activations ── blocks that train ──▶ logits      each epoch

Found by trying: the model is asked with and without the way around its frozen blocks, and goes
around only if it says the same.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipelines.core import cache, console, processes
from pipelines.features import chunks, fingerprints
from pipelines.features.pooling import mask_of
from pipelines.features.skip_frozen_blocks import (
    ACTIVATIONS,
    Below,
    SkipFrozenBlocks,
    Together,
    WithActivations,
)
from pipelines.models import forward

if TYPE_CHECKING:
    import torch

    from pipelines.models.anatomy import Anatomy
    from pipelines.training.job import Job


@contextmanager
def cached(
    job: "Job", anatomy: "Anatomy", block: str, wanted: Literal["auto"] | bool
) -> Iterator["Job"]:
    """Inside, a job whose rows bring what comes to `block`, where they can and where it pays.

    Says in one line what was decided, and why.
    """
    from accelerate import PartialState

    model = job.checkpoint.model.to(PartialState().device)  # where it is measured
    with SkipFrozenBlocks(model, anatomy.blocks, block) as shortcut:
        # by clocks that differ, processes could come to different decisions
        why_not = processes.from_main(lambda: _why_not(job, shortcut, wanted))
        if why_not:
            console.say(f"the frozen blocks run in each epoch: {why_not}")
            yield job
            return
        train = _with_activations(job, shortcut, block, job.train, "activations of train")
        validation = _with_activations(job, shortcut, block, job.validation, "… of validation")
        console.say(f"the frozen blocks ran once: {train.kept.num_bytes / 1e6:,.0f} MB are kept")
        yield replace(
            job,
            train=train,
            validation=validation,
            collate=Together(job.collate),
            collate_train=Together(job.collate_train),
        )


def _why_not(job: "Job", shortcut: SkipFrozenBlocks, wanted: Literal["auto"] | bool) -> str | None:
    if not wanted:
        return "cache_activations is false"
    return _obstacle(job, shortcut) or (_cost(job, shortcut) if wanted == "auto" else None)


def _obstacle(job: "Job", shortcut: SkipFrozenBlocks) -> str | None:
    """Why activations cannot be kept; None where they can."""
    import torch

    if job.varies:
        return "examples vary each time that they are seen"
    if getattr(job.train, "fingerprint", None) is None:
        return "train flows by"
    if job.arguments.n_gpu > 1:
        return "one process trains on several GPUs; accelerate launch starts one for each"
    model = job.checkpoint.model.eval()
    batch = {k: v.to(model.device) for k, v in forward.sample_batch(job.train, job.collate).items()}
    with torch.inference_mode():
        try:
            given = shortcut.reached(**batch)
        except KeyError:  # it gives hidden states another name
            return f"{type(model).__name__} cannot start at a block"
        mask = batch.get("attention_mask")
        if mask is None and forward.lengths(job.train) is not None:
            return "nothing tells what is padding"
        if mask is not None and mask_of(given, batch) is None:
            return "the mask of their inputs is not that of what they give"
        if mask is not None:  # what stands in the padding is not kept
            given = given * mask.unsqueeze(-1)
        logits = model(**batch).logits
        try:
            shorter = model(**batch, **{ACTIVATIONS: given}).logits
        except (AttributeError, RuntimeError, TypeError, ValueError):
            shorter = torch.zeros(())  # its blocks give each other more than hidden states
    if logits.shape == shorter.shape and torch.allclose(logits, shorter, rtol=1e-4, atol=1e-5):
        return None
    return f"{type(model).__name__} cannot start at a block"


def _cost(job: "Job", shortcut: SkipFrozenBlocks) -> str | None:
    """Why it would not pay, as measured on a batch and a file of its size; None where it does."""
    import torch

    rows, epochs = job.train, job.arguments.num_train_epochs
    model = job.checkpoint.model.eval()
    order = forward.by_length(rows)[:: max(1, len(rows) // job.arguments.train_batch_size)]
    batch = job.collate(forward.take(rows, order.tolist()))
    seen = {k: v.to(model.device) for k, v in forward.without_labels(batch).items()}
    with torch.inference_mode():
        computing, given = _seconds(lambda: shortcut.reached(**seen))
    if "attention_mask" in seen:  # steps compute no padding
        computing *= float(seen["attention_mask"].float().mean())
    share = len(order) / len(rows)
    keeping, reading = _disk_seconds(given.cpu())
    needed = given.nbytes / share
    free = shutil.disk_usage(_existing(cache.folder())).free
    if needed > min(free / 2, cache.limit()):
        return (
            f"{needed / 1e9:,.1f} GB of activations are more than the disk or GRAFT_CACHE_GB allow"
        )
    saved = (epochs - 1) * computing - keeping - epochs * reading
    if saved <= 0:
        return f"{epochs:g} epochs save no more than keeping {needed / 1e6:,.0f} MB costs"
    return None


def _seconds(compute: Callable[[], Any]) -> tuple[float, Any]:
    """(of the faster of two times, what was computed)."""
    taken = []
    for _ in range(2):
        start = time.perf_counter()
        computed = compute()
        taken.append(time.perf_counter() - start)
    return min(taken), computed


def _disk_seconds(given: "torch.Tensor") -> tuple[float, float]:
    """How long it takes to write a tensor into the cache, and to read it."""
    path = cache.folder() / chunks.KIND / f"trial{cache.SUFFIX}"
    writing, written = _seconds(lambda: cache.save({ACTIVATIONS: given.contiguous()}, path))
    if not written:
        return float("inf"), float("inf")
    reading, _ = _seconds(lambda: (cache.load(path) or {})[ACTIVATIONS].clone())
    path.unlink(missing_ok=True)
    return writing, reading


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _with_activations(
    job: "Job", shortcut: SkipFrozenBlocks, block: str, rows: Any, title: str
) -> WithActivations:
    model = job.checkpoint.model
    precision = (bool(job.arguments.bf16), model.device.type)
    key = fingerprints.of(fingerprints.frozen(model), rows.fingerprint, block, precision)

    def read(hidden: "torch.Tensor", batch: dict[str, Any]) -> dict[str, Any]:
        mask = batch.get("attention_mask")
        if mask is None:
            return {ACTIVATIONS: hidden}
        return {ACTIVATIONS: [entry[m.bool()] for entry, m in zip(hidden, mask, strict=True)]}

    about = f"{type(model).__name__} below {block}, {len(rows):,} rows"
    options = {**job.fast_options, "title": title}
    kept = chunks.computed(key, about, Below(shortcut), rows, job.collate, read, **options)
    return WithActivations(rows, kept, block)
