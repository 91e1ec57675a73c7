"""What a strategy makes of a model before it trains."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.models.output import Output
    from pipelines.training.stages import Stage
    from pipelines.training.target_scale import TargetScale


@dataclass(frozen=True)
class Setup:
    """A model that a strategy made ready to train, and how it trains.

    Attributes:
        strategy: the strategy's name, for messages.
        model: what the Trainer trains, adapters included.
        frozen: modules whose dropout and normalization stay in eval mode, in all stages.
        stages: what trains when; empty: everything that requires gradients, all the time.
        lr_multiplier: name of a parameter of `model` -> its learning rate relative to
            `training.learning_rate`.
        evaluating: context in which `model` evaluates fastest during training.
        output: trained model -> what the run saves.
        target_scale: by which the model's outputs are standardized; None: they are not.
    """

    strategy: str
    model: Any
    anatomy: "Anatomy"
    frozen: tuple[str, ...]
    stages: "tuple[Stage, ...]"
    lr_multiplier: Callable[[str], float]
    evaluating: Callable[[Any], AbstractContextManager[None]]
    output: Callable[[Any], "Output"]
    target_scale: "TargetScale | None" = None
