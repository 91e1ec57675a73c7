"""Memory that does not suffice for a run: what was asked for, and what needs less."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError
from pipelines.core.memory_errors import memory_reason

if TYPE_CHECKING:
    from pipelines.recipe import Recipe
    from pipelines.workflow.prepared import Prepared


@contextmanager
def explaining_memory(prepared: "Prepared") -> Iterator[None]:
    """End in one message where a device, or a limit on the process, has no memory left.

    Raises:
        ModelError: gives what was asked for, and settings that need less.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        reason = memory_reason(error)
        if reason is None:
            raise
        settings = "; ".join(_settings(prepared.recipe, prepared.arguments()))
        raise ModelError(
            f"out of memory: {reason}; less is needed with: {settings} (`graft check` estimates "
            "the memory of a step)"
        ) from None


def _settings(recipe: "Recipe", arguments: Any) -> Iterator[str]:
    """Yield settings that need less memory, those that change no result first."""
    if recipe.strategy.no_gradient_reason is None:
        size = arguments.per_device_train_batch_size
        if size > 1:
            num_batches = 2 * arguments.gradient_accumulation_steps
            yield (
                f"training.per_device_train_batch_size={size // 2} "
                f"training.gradient_accumulation_steps={num_batches}, which has the same steps"
            )
        if not arguments.gradient_checkpointing:
            yield "training.gradient_checkpointing=true, which computes activations twice"
    size = arguments.per_device_eval_batch_size
    if size > 1:
        yield f"training.per_device_eval_batch_size={size // 2}, where rows are only predicted"
    if recipe.strategy.name in ("full", "scratch"):
        yield "strategy=lora, which has almost no gradients to keep"
