"""Memory that does not suffice for a run: what a step needs, what there is, what needs less."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.core import memory_limits
from pipelines.core.errors import ModelError
from pipelines.core.memory_errors import memory_reason
from pipelines.models.anatomy import count
from pipelines.models.memory import BYTES_PER_FLOAT, of_step

if TYPE_CHECKING:
    from pipelines.recipe import Recipe
    from pipelines.workflow.prepared import Prepared


MIB = 2**20
FINDS = "auto_find_batch_size"  # parts of a batch had been found, down to a row
SHARE = 8  # of a batch, by which its activations are estimated


@contextmanager
def explaining_memory(prepared: "Prepared") -> Iterator[None]:
    """End in one message where a device, or a limit on the process, has no memory left.

    Raises:
        ModelError: gives what was asked for, what a step needs, and settings that need less.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        reason = memory_reason(error)
        if reason is None:
            raise
        # what the frames of the error hold is in the way of the estimate below
        error.__traceback__ = None
        settings = "; ".join(_settings(prepared.recipe, prepared.arguments()))
        raise ModelError(
            f"out of memory: {reason}; {_needed(prepared)}less is needed with: {settings}"
        ) from None


def _needed(prepared: "Prepared") -> str:
    """Say what a training step needs, part by part, and what the process may have."""
    if prepared.recipe.strategy.no_gradient_reason is not None:
        return ""
    arguments = prepared.arguments()
    finds = prepared.recipe.training.get(FINDS)
    size = 1 if finds else arguments.per_device_train_batch_size
    parts, is_whole = _parts(prepared, size)
    shown = ", ".join(f"{name} {num_bytes / MIB:,.1f}" for name, num_bytes in parts.items())
    about = "about" if is_whole else "its activations and"
    # a GPU names its own memory in the error
    limit = memory_limits.limit() if arguments.device.type == "cpu" else None
    available = f"; this process may have {(limit or 0) / MIB:,.0f} MiB, libraries included"
    needed = f"{about} {sum(parts.values()) / MIB:,.1f} MiB ({shown} for a batch of {size})"
    return f"a step needs {needed}{available if limit else ''}; "


def _parts(prepared: "Prepared", size: int) -> tuple[dict[str, int], bool]:
    """Count the bytes of a step, and say whether activations are among them.

    They are those of an eighth of the batch, times eight: there may be no memory for more.
    """
    model = prepared.checkpoint.model
    try:
        rows = prepared.encoded["train"]
        num_rows = max(1, min(size // SHARE, len(rows)))
        batch = prepared.collate([rows[row] for row in range(num_rows)])
        batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
        parts = of_step(model, batch, prepared.loss)
    except Exception:  # no memory for a row, or rows that come one by one: the rest is known
        trainable, total = count(model)
        weights = BYTES_PER_FLOAT * total
        return {
            "weights": weights,
            "gradients and optimizer": 3 * BYTES_PER_FLOAT * trainable,
        }, False
    return {**parts, "activations": size * parts["activations"] // num_rows}, True


def _settings(recipe: "Recipe", arguments: Any) -> Iterator[str]:
    """Yield settings that need less memory, those that change no result first."""
    if recipe.strategy.no_gradient_reason is None:
        size = arguments.per_device_train_batch_size
        if size > 1 and not recipe.training.get(FINDS):
            num_batches = 2 * arguments.gradient_accumulation_steps
            yield (
                f"training.per_device_train_batch_size={size // 2} "
                f"training.gradient_accumulation_steps={num_batches}, which has the same steps "
                "with half of the activations"
            )
            yield f"training.{FINDS}=true, which finds such parts while training"
        if not arguments.gradient_checkpointing:
            yield "training.gradient_checkpointing=true, which computes activations twice"
    size = arguments.per_device_eval_batch_size
    if size > 1:
        yield f"training.per_device_eval_batch_size={size // 2}, where rows are only predicted"
    if recipe.strategy.name in ("full", "scratch"):
        yield "strategy=lora, which has almost no gradients to keep"
