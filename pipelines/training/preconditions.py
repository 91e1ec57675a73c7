"""What a job is refused for before it trains: its adaptation, and the switches that are on."""

from typing import TYPE_CHECKING

from pipelines.core.errors import ModelError, RecipeError
from pipelines.core.sharding import sharding_key
from pipelines.training.job import Job
from pipelines.training.speed import SpeedDecision, decide

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy


def check(job: Job, anatomy: "Anatomy") -> None:
    """Refuse what `fit` would refuse; nothing trains or is written.

    Raises:
        ModelError, RecipeError: as `check_adaptation` and `batch_parts.check`.
        RecipeError: a switch of `speed` says `on`, and it cannot be done.
    """
    from pipelines.training import batch_parts
    from pipelines.training.speed.length_buckets import decide_buckets
    from pipelines.training.speed.packing import decide_packing

    if job.adaptation:
        check_adaptation(job, anatomy)
    if job.finds_batch_size:
        batch_parts.check(job)
    decide_frozen_blocks(job)
    # the self-test of packing takes time, which `auto` would spend twice
    if "on" in (job.speed.packing, job.speed.length_buckets):
        model, is_sharded = job.checkpoint.model, bool(sharding_key(job.arguments))
        packing = decide_packing(job, model, anatomy)
        decide_buckets(job, model, packing, is_sharded=is_sharded)


def check_adaptation(job: Job, anatomy: "Anatomy") -> None:
    """Refuse to compare source and target where they cannot be.

    Raises:
        ModelError: no layer maps features to logits.
        RecipeError: there are no rows of the target, or weights are spread over processes.
    """
    assert job.adaptation
    key = f"adaptation.name: '{job.adaptation.name}'"
    if job.target is None or not len(job.target):
        raise RecipeError(f"{key}: there are no rows of the target; name some in data.target")
    if sharding_key(job.arguments):
        raise RecipeError(
            f"{key}: two passes make a step, which weights that are spread over processes do not "
            "have; train without FSDP and DeepSpeed, or leave adaptation out"
        )
    if anatomy.output is None:
        raise ModelError(
            f"{key}: {type(job.checkpoint.model).__name__} has no linear layer whose input could "
            "be compared; leave adaptation out"
        )


def decide_frozen_blocks(job: Job) -> SpeedDecision:
    """Return what a strategy decided about its frozen blocks; all others have nothing to keep."""
    return job.frozen_blocks or decide(
        job.speed,
        "frozen_blocks",
        lambda: "only top_layers, above frozen blocks, keeps their activations",
    )
