"""Blocks that compute tokens and no padding: packed before the first, unpacked after the last.

    (rows, length, dim) ── pack ──▶ (1, tokens, dim) ── blocks ── unpack ──▶ (rows, length, dim)
                                    attention: bucket after bucket of rows of about one length

Results equal the padded computation up to rounding, so batches can stay random instead of grouped
by length, which costs accuracy (on Banking77 0.8 points, deviation 1.1 over five seeds). Whether a
model can be packed is tried on a batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from pipelines.core.sharding import sharding_key
from pipelines.core.upstream import attention_implementation
from pipelines.features.skip_frozen_blocks import RowsWithActivations
from pipelines.models import forward
from pipelines.training.speed import SpeedDecision, decide
from pipelines.training.speed.packed_layout import PackedLayout
from pipelines.training.speed.packed_model import BASE, Packing

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.training.job import Job

# tokens that could have been computed while attention to a bucket is set up
OVERHEAD_TOKENS = {"cpu": 48}
DEFAULT_OVERHEAD_TOKENS = 8192  # on a GPU some milliseconds, in which nothing is computed


@contextmanager
def packed_if_supported(job: "Job", model: Any, anatomy: "Anatomy") -> Iterator[SpeedDecision]:
    """Pack the batches of `model` inside the block, if it can be packed.

    Args:
        model: what is trained: the job's model, or adapters around it.
    """
    decision = decide_packing(job, model, anatomy)
    # without padding nothing was tested, and nothing would be saved
    if not decision.on or not _has_padding(job):
        yield decision
        return
    inner = job.checkpoint.model
    overhead = OVERHEAD_TOKENS.get(inner.device.type, DEFAULT_OVERHEAD_TOKENS)
    with Packing(inner, anatomy, _first_block(job, anatomy), overhead):
        yield decision


def decide_packing(job: "Job", model: Any, anatomy: "Anatomy") -> SpeedDecision:
    """Decide whether the batches of `model` are packed.

    Raises:
        RecipeError: the recipe says `on`, and it cannot be done.
    """
    return decide(job.speed, "packing", lambda: _obstacle(job, model, anatomy), lambda: _cost(job))


def _first_block(job: "Job", anatomy: "Anatomy") -> str:
    """Name the first block that is computed: cached activations begin above others."""
    has_activations = isinstance(job.train, RowsWithActivations)
    return job.train.block if has_activations else anatomy.blocks[0]


def _obstacle(job: "Job", model: Any, anatomy: "Anatomy") -> str | None:
    """Return why batches cannot be packed; None where they can."""
    inner = job.checkpoint.model
    attention = attention_implementation(inner.config)
    if inner.main_input_name != "input_ids":
        return f"packing is for texts; {type(inner).__name__} reads {inner.main_input_name}"
    if job.arguments.gradient_checkpointing:
        return "gradient checkpointing computes blocks again, on their own"
    if sharding_key(job.arguments):
        return "weights that are spread over processes are gathered by block"
    if not anatomy.blocks:
        return f"{type(inner).__name__} has no blocks"
    if attention != BASE:
        return f"attention is {attention}, not {BASE}"
    if forward.lengths(job.train) is None:
        return "rows have no lengths that differ"
    return _self_test(job, model, anatomy) if _has_padding(job) else None


def _cost(job: "Job") -> str | None:
    """Return why packing would not pay; None where it does."""
    if job.speed.length_buckets == "on":
        return "length_buckets is on"
    return None if _has_padding(job) else "texts have about one length: there is no padding to save"


def _has_padding(job: "Job") -> bool:
    """Return whether a batch of the longest and shortest rows has padding that is worth packing."""
    mask = forward.sample_batch(job.train, job.collate).get("attention_mask")
    # a mask of several texts in each row counts each of them
    return mask is None or PackedLayout.of(mask.flatten(0, -2), overhead=1) is not None


def _self_test(job: "Job", model: Any, anatomy: "Anatomy") -> str | None:
    """Compute a batch with padding and packed; return why results differ, None if equal."""
    inner = job.checkpoint.model
    batch = forward.sample_batch(job.train, job.collate)
    batch = {name: tensor.to(inner.device) for name, tensor in batch.items()}
    # however few rows: on any device another bucket pays
    packing = Packing(inner, anatomy, _first_block(job, anatomy), overhead=1)
    try:
        # only what trains is packed, and dropout would draw another mask for another shape
        with torch.no_grad(), dropout_disabled(model):
            plain = model(**batch).logits
            with packing:
                packed = model(**batch).logits
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        return f"self-test failed: {type(inner).__name__} refuses packed tokens: {reason}"
    finally:
        # an error between the first block and the last leaves it set
        Packing.active = None
    if packing.layout is None:
        return "self-test failed: the encoder got no padding to leave out"
    per_token = plain.shape[:2] == packing.layout.shape
    read = batch["attention_mask"].bool() if per_token else slice(None)
    # a tolerance for rounding alone: attention across rows moved BERT's hidden states by 0.94
    if torch.allclose(packed[read], plain[read], rtol=1e-4, atol=1e-5):
        return None
    difference = float((packed[read] - plain[read]).abs().max())
    return f"self-test failed: packed, logits of a batch differ by up to {difference:.1e}"


@contextmanager
def dropout_disabled(model: Any) -> Iterator[None]:
    """Let `model` be in training mode, and yet drop nothing, inside the block."""
    was_training = model.training
    model.train()
    rates = [(m, m.p) for m in model.modules() if isinstance(m, torch.nn.Dropout)]
    for module, _ in rates:
        module.p = 0.0
    try:
        yield
    finally:
        for module, rate in rates:
            module.p = rate
        model.train(was_training)
