"""The result of training: what is saved, and how it came about."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.training.speed import SpeedDecision

if TYPE_CHECKING:
    from pipelines.models.output import Output


@dataclass(frozen=True)
class Fitted:
    """The result of training.

    Attributes:
        history: the Trainer's log, or the trials of a solved head.
        trainable: how many parameters trained.
        chosen: identifies the chosen entry of `history`: its step, or a head's pooling and
            regularization.
        waited: the share of training time spent waiting for batches; None without steps.
        seconds_before: of training before it was resumed, which `waited` counts, too.
        temperature: by which the logits of `output` were divided after training, in its weights.
        speed: what was decided about each switch of `speed`; empty without steps.
        thresholds: probabilities above which each of several labels is given; empty: 0.5.
        out_of_fold: logits for each example of train by what did not see its fold; None where
            nothing was cross-validated.
    """

    output: "Output"
    history: list[dict[str, Any]]
    trainable: int
    chosen: dict[str, Any] = field(default_factory=dict)
    waited: float | None = None
    seconds_before: float = 0.0
    temperature: float | None = None
    speed: tuple[SpeedDecision, ...] = ()
    thresholds: tuple[float, ...] = ()
    out_of_fold: Any | None = None
