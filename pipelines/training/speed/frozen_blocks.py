"""Run frozen blocks once and keep their activations: training starts at the block above.

    rows ── frozen blocks ──▶ activations, on disk          once
    rows + activations ── blocks that train ──▶ logits      each epoch

Whether a model can start at a block is tried: its logits of a batch must be the same with and
without the shortcut.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.core import processes
from pipelines.features import chunks, fingerprints
from pipelines.features.pooling import mask_of
from pipelines.features.skip_frozen_blocks import (
    ACTIVATIONS,
    CollateWithActivations,
    FrozenBlocks,
    RowsWithActivations,
    SkipFrozenBlocks,
)
from pipelines.models import forward
from pipelines.training.speed import SpeedDecision, decide
from pipelines.training.speed.frozen_blocks_cost import cost

if TYPE_CHECKING:
    import torch

    from pipelines.models.anatomy import Anatomy
    from pipelines.training.job import Job


@contextmanager
def cached_if_supported(job: "Job", anatomy: "Anatomy", block: str) -> Iterator["Job"]:
    """Run what lies below `block` once; inside, a job whose rows bring its activations along.

    Yields:
        The job with what was decided in `frozen_blocks`; with rows as they are where that is off.
    """
    from accelerate import PartialState

    model = job.checkpoint.model.to(PartialState().device)  # where it is measured
    with SkipFrozenBlocks(model, anatomy.blocks, block) as shortcut:
        # by clocks that differ, processes could come to different decisions
        decision = processes.from_main(lambda: _decide(job, shortcut))
        if decision.on:
            train = _with_activations(job, shortcut, block, job.train, "activations of train")
            rows = job.validation
            validation = _with_activations(job, shortcut, block, rows, "activations of validation")
            reason = f"{train.activations.num_bytes / 1e6:,.0f} MB of activations are kept"
            yield replace(
                job,
                train=train,
                validation=validation,
                collate=CollateWithActivations(job.collate),
                collate_train=CollateWithActivations(job.collate_train),
                frozen_blocks=replace(decision, reason=reason),
            )
            return
    yield replace(job, frozen_blocks=decision)


def check(job: "Job", anatomy: "Anatomy", block: str) -> SpeedDecision:
    """Decide whether what lies below `block` can run once, whatever it costs.

    Raises:
        RecipeError: the recipe says `on`, and it cannot be done.
    """
    with SkipFrozenBlocks(job.checkpoint.model, anatomy.blocks, block) as shortcut:
        return decide(job.speed, "frozen_blocks", lambda: _obstacle(job, shortcut))


def _decide(job: "Job", shortcut: SkipFrozenBlocks) -> SpeedDecision:
    return decide(
        job.speed,
        "frozen_blocks",
        lambda: _obstacle(job, shortcut),
        lambda: cost(job, shortcut),
    )


def _obstacle(job: "Job", shortcut: SkipFrozenBlocks) -> str | None:
    """Return why activations cannot be kept; None where they can."""
    if job.varies:
        return "examples vary each time that they are seen"
    if job.adaptation:
        return "adaptation computes rows of the target, too"
    if getattr(job.train, "fingerprint", None) is None:
        return "train is streamed"
    if job.arguments.n_gpu > 1:
        return "one process trains on several GPUs; accelerate launch starts one for each"
    return _self_test(job, shortcut)


def _self_test(job: "Job", shortcut: SkipFrozenBlocks) -> str | None:
    """Compute a batch with and without the shortcut; return why logits differ, None if equal."""
    import torch

    model = job.checkpoint.model.eval()
    failed = f"self-test failed: {type(model).__name__} cannot start at a block"
    batch = {k: v.to(model.device) for k, v in forward.sample_batch(job.train, job.collate).items()}
    with torch.inference_mode():
        try:
            activations = shortcut.compute(**batch)
        except KeyError:  # hidden states go by another name
            return failed
        mask = batch.get("attention_mask")
        if mask is None and forward.lengths(job.train) is not None:
            return "no mask marks the padding of rows that differ in length"
        if mask is not None and mask_of(activations, batch) is None:
            return "the mask of the model's inputs is not that of its activations"
        if mask is not None:  # activations in the padding are not kept
            activations = activations * mask.unsqueeze(-1)
        logits = model(**batch).logits
        try:
            shortened = model(**batch, **{ACTIVATIONS: activations}).logits
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            # its blocks pass on more than hidden states
            return f"{failed}: {str(error).partition(chr(10))[0]}"
    if logits.shape != shortened.shape:
        return failed
    if torch.allclose(logits, shortened, rtol=1e-4, atol=1e-5):
        return None
    return f"{failed}: logits differ by up to {float((logits - shortened).abs().max()):.1e}"


def _with_activations(
    job: "Job", shortcut: SkipFrozenBlocks, block: str, rows: Any, title: str
) -> RowsWithActivations:
    """Compute the activations of `rows` below `block`, or find them on disk."""
    model = job.checkpoint.model
    # last digits differ by type and by device
    precision = (bool(job.arguments.bf16), model.device.type)
    key = fingerprints.of(fingerprints.frozen(model), rows.fingerprint, block, precision)

    def collect(hidden: "torch.Tensor", batch: dict[str, Any]) -> dict[str, Any]:
        mask = batch.get("attention_mask")
        if mask is None:
            return {ACTIVATIONS: hidden}
        return {ACTIVATIONS: [row[m.bool()] for row, m in zip(hidden, mask, strict=True)]}

    about = f"{type(model).__name__} below {block}, {len(rows):,} rows"
    activations = chunks.compute(
        key,
        about,
        FrozenBlocks(shortcut),
        rows,
        job.collate,
        collect,
        **job.fast_options,
        title=title,
    )
    return RowsWithActivations(rows, activations, block)
