"""Short trainings of the best checkpoints: half of them go on, for twice as many steps."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.core.console import say
from pipelines.core.errors import GraftError

FIRST_STEPS = 30


@dataclass(frozen=True)
class Final:
    """A short training of a checkpoint.

    Attributes:
        score: on validation, more is better; None where it failed.
    """

    checkpoint: str
    steps: int
    score: float | None
    problem: str = ""


def hold(
    checkpoints: Sequence[str],
    train: Callable[[str, int, Path], float],
) -> tuple[list[Final], str | None]:
    """Train in rounds until one checkpoint is left (successive halving, arXiv 1502.07943).

    Args:
        checkpoints: the best first; of equals it goes on.
        train: (checkpoint, steps, folder) -> score on validation, of which more is better.

    Returns:
        All trainings, in their order, and the checkpoint that is left; None if all fail.
    """
    trainings: list[Final] = []
    left, steps = [*checkpoints], FIRST_STEPS
    while len(left) > 1:
        of_round = [_train(name, steps, train) for name in left]
        trainings += of_round
        scores = {each.checkpoint: each.score for each in of_round if each.score is not None}
        # sorted() is stable: of equals the one with the better features goes on
        ranked = sorted(scores, key=lambda name: -scores[name])
        left, steps = ranked[: len(left) // 2], 2 * steps
    return trainings, next(iter(left), None)


def _train(name: str, steps: int, train: Callable[[str, int, Path], float]) -> Final:
    try:
        with TemporaryDirectory() as folder:
            final = Final(name, steps, train(name, steps, Path(folder)))
    except GraftError as error:
        final = Final(name, steps, None, str(error).partition("\n")[0])
    gc.collect()  # a model of one checkpoint at a time
    score = f"failed: {final.problem}" if final.score is None else f"{abs(final.score):.4f}"
    say(f"  {name}, {steps} steps: {score}")
    return final
