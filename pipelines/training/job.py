"""What training takes and gives back: a job, what a strategy makes of its model, the result."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainingArguments

    from pipelines.core.labels import Labels
    from pipelines.evaluation.scorer import Scorer
    from pipelines.models.anatomy import Anatomy
    from pipelines.models.load import Checkpoint
    from pipelines.models.output import Output
    from pipelines.tasks import ModelOutputs, Predictions, Task
    from pipelines.training.averaging import Averaging
    from pipelines.training.early_stopping import EarlyStopping
    from pipelines.training.regularization import Regularization
    from pipelines.training.stages import Stage

Collate = Callable[[list[Any]], dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """Everything that a strategy needs to fit a checkpoint to a task.

    Attributes:
        collate_train: puts together a batch to train on; what it draws it draws anew each time.
        loss: `loss(outputs, labels, num_items_in_batch)` instead of the model's own.
        varies: whether an example is another one each time that it is trained on.
        regularization: what is added to the loss.
        averaging: of which weights the result is a mean.
        callbacks: what else is to happen while the Trainer trains.
    """

    task: "Task"
    checkpoint: "Checkpoint"
    labels: "Labels"
    train: Any  # encoded rows
    validation: Any
    train_targets: list[Any]
    validation_targets: list[Any]
    collate: Collate
    collate_train: Collate
    scorer: "Scorer"
    loss: Callable[..., Any] | None
    arguments: "TrainingArguments"
    early_stopping: "EarlyStopping | None"
    regularization: "Regularization"
    averaging: "Averaging"
    resume_from: Path | None = None
    varies: bool = False
    callbacks: "tuple[TrainerCallback, ...]" = ()

    def score(self, kept: "ModelOutputs") -> dict[str, float]:
        """The scores of what was kept of a pass over validation."""
        return self.scorer(self._predictions(kept), self.validation_targets)

    def main_score(self, kept: "ModelOutputs") -> float:
        """The one by which validation chooses, and no other."""
        return self.scorer.choose_by(self._predictions(kept), self.validation_targets)

    def _predictions(self, kept: "ModelOutputs") -> "Predictions":
        from pipelines.evaluation.scorer import predict

        return predict(self.task, kept, self.validation, self.checkpoint.processor, self.labels)

    @property
    def baseline(self) -> dict[str, float]:
        """The scores on validation of who never looks at an example."""
        targets = self.validation_targets
        return self.scorer(self.task.baseline(self.train_targets, targets, self.labels), targets)

    @property
    def forward_options(self) -> dict[str, Any]:
        """Batch size and workers for passes without gradients, in float32."""
        from pipelines.training.arguments import forward_options

        return forward_options(self.arguments)

    @property
    def fast_options(self) -> dict[str, Any]:
        """The same in the precision of training: for what is learned from, not for evidence."""
        return {**self.forward_options, "bf16": self.arguments.bf16}


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
    """

    strategy: str
    model: Any
    anatomy: "Anatomy"
    frozen: tuple[str, ...]
    stages: "tuple[Stage, ...]"
    lr_multiplier: Callable[[str], float]
    evaluating: Callable[[Any], AbstractContextManager[None]]
    output: Callable[[Any], "Output"]


@dataclass(frozen=True)
class Fitted:
    """What training gives back.

    Attributes:
        history: the Trainer's log, or the trials of a solved head.
        trainable: how many parameters trained.
        chosen: what tells the chosen entry of `history` from the others: its step, or a head's
            pooling and regularization.
        waited: the share of training that went by waiting for data.
        temperature: what the logits of `output` were divided by after training, in its weights.
    """

    output: "Output"
    history: list[dict[str, Any]]
    trainable: int
    chosen: dict[str, Any] = field(default_factory=dict)
    waited: float | None = None
    temperature: float | None = None
