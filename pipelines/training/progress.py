"""How far a training had come at a checkpoint, beside the weights: counts and times."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pipelines.core.errors import DivergedError

if TYPE_CHECKING:
    from transformers import Trainer

STATE = "trainer_state.json"


@dataclass(frozen=True)
class Progress:
    """What a training that goes on takes from its checkpoint.

    Attributes:
        max_steps: of the training as it was meant; None where nothing was trained before.
        evaluations: without improvement, by which early stopping counts.
        seconds: of training so far.
        waited: seconds of these, for batches.
        best_step: the step with the best score; None without one.
        batch_parts: into which memory needed batches to be cut.
        ingredient: of a soup, counted from 0; None where the checkpoint is of none.
    """

    max_steps: int | None = None
    evaluations: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    best_step: int | None = None
    batch_parts: int = 1
    ingredient: int | None = None

    @classmethod
    def at(cls, checkpoint: Path | None) -> Self:
        """Read what the Trainer has written into a checkpoint; None: nothing was trained before."""
        if checkpoint is None:
            return cls()
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        callbacks = state.get("stateful_callbacks") or {}
        times = _of(callbacks, "WaitingTime", "args")
        parts = _of(callbacks, "BatchParts", "args")
        counted = _of(callbacks, "EarlyStoppingCallback", "attributes")
        return cls(
            max_steps=state.get("max_steps"),
            evaluations=counted.get("early_stopping_patience_counter", 0),
            seconds=times.get("elapsed", 0.0),
            waited=times.get("seconds", 0.0),
            best_step=state.get("best_global_step"),
            batch_parts=parts.get("number", 1),
            ingredient=_of(callbacks, "NoteIngredient", "args").get("number"),
        )


@contextmanager
def naming_step(trainer: "Trainer") -> Iterator[None]:
    """Add to an error about numbers that are not finite where it was seen.

    Raises:
        DivergedError: gives the step, and the checkpoint that was saved before.
    """
    try:
        yield
    except DivergedError as error:
        saved = [*Path(str(trainer.args.output_dir)).glob(f"checkpoint-*/{STATE}")]
        names = [state.parent.name.partition("-")[2] for state in saved]
        steps = [int(name) for name in names if name.isdecimal()]
        last = f"; checkpoint-{max(steps)} was saved before that" if steps else ""
        raise DivergedError(f"step {trainer.state.global_step:,}: {error}{last}") from None


def _of(callbacks: dict[str, Any], name: str, kind: str) -> dict[str, Any]:
    """Return what one callback has written, which older checkpoints lack."""
    state = callbacks.get(name)
    values = state.get(kind) if isinstance(state, dict) else None
    return values if isinstance(values, dict) else {}
