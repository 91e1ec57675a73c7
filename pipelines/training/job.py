"""What training takes: a job with everything that a strategy needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.training.speed import Speed, SpeedDecision

if TYPE_CHECKING:
    import numpy as np
    from transformers import TrainerCallback, TrainingArguments

    from pipelines.core.labels import Labels
    from pipelines.evaluation.scorer import Scorer
    from pipelines.models.load import Checkpoint
    from pipelines.tasks import ModelOutputs, Predictions, Task
    from pipelines.training.adaptation import WhileTraining
    from pipelines.training.averaging import Averaging
    from pipelines.training.early_stopping import EarlyStopping
    from pipelines.training.regularization import Regularization
    from pipelines.training.target_scale import TargetScale

Collate = Callable[[list[Any]], dict[str, Any]]


@dataclass(frozen=True)
class LabeledRows:
    """Encoded rows, and the target of each that predictions are compared with."""

    rows: Any
    targets: list[Any]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Job:
    """Everything that a strategy needs to fit a checkpoint to a task.

    Attributes:
        train, validation: encoded rows.
        folds: (rows,) the fold of each row of train; validation then is train, and a row is scored
            by what was solved on the other folds. None where rows were set aside for validation.
        fold_units: (rows,) equal in rows of train that are in one fold: of a group, or repeats.
        choosing_folds: (rows,) the same, where validation is too small to choose a head by.
        collate_train: joins rows into a batch to train on; random changes are drawn each time.
        row_groups: groups of rows that an epoch draws equally often; None: each row once.
        loss: `loss(outputs, labels, num_items_in_batch)` instead of the model's own.
        varies: whether an example is another one each time that it is trained on.
        regularization: the terms that are added to the loss.
        averaging: which weights the result is a mean of.
        speed: which shortcuts to the same result training may take.
        callbacks: more callbacks for the Trainer.
        frozen_blocks: the decision about that switch of `speed`, if it was made before training.
        target_scale: by which training may standardize the targets; None where it cannot.
        restore: outputs of the model -> outputs in the unit of the targets; None where they are.
        target: encoded rows of the target domain, without labels: each is -100 or NaN, which no
            loss learns from; None where the recipe has none.
        shifted: name -> rows that are unlike train, with their targets: each point of WiSE-FT's
            line is scored on them, too, and they choose nothing.
        oracle: labeled rows of the target, which evaluations while training score, too, to show
            what choosing by them would have given; they choose nothing. None: it is not asked for.
        adaptation: how training brings source and target together; None: it does not.
        finds_batch_size: whether a batch that memory does not suffice for is computed in parts.
        identity: what the recipe says of training, as text: beside rows and weights, all that the
            result follows from.
    """

    task: "Task"
    checkpoint: "Checkpoint"
    labels: "Labels"
    train: Any
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
    speed: Speed
    folds: "np.ndarray | None" = None
    fold_units: "np.ndarray | None" = None
    choosing_folds: "np.ndarray | None" = None
    row_groups: "Sequence[np.ndarray] | None" = None
    resume_from: Path | None = None
    varies: bool = False
    callbacks: "tuple[TrainerCallback, ...]" = ()
    frozen_blocks: SpeedDecision | None = None
    target_scale: "TargetScale | None" = None
    restore: "Callable[[ModelOutputs], ModelOutputs] | None" = None
    target: Any | None = None
    shifted: Mapping[str, LabeledRows] = field(default_factory=dict)
    oracle: LabeledRows | None = None
    adaptation: "WhileTraining | None" = None
    finds_batch_size: bool = False
    identity: str = ""

    def standardized(self, scale: "TargetScale") -> "Job":
        """Return this job for a model that gives standardized numbers; scores stay as they are."""
        return replace(
            self,
            collate=scale.collate(self.collate),
            collate_train=scale.collate(self.collate_train),
            restore=scale.restore,
        )

    @property
    def with_loss(self) -> "Job":
        """This job with a loss of logits where it has none: the model's own sees whole batches."""
        from pipelines.core.losses import CrossEntropy

        smoothing = self.arguments.label_smoothing_factor
        return replace(self, loss=self.loss or CrossEntropy(label_smoothing=smoothing))

    @property
    def of_choice(self) -> "Job":
        """This job as a head is chosen for it: by folds of train, if validation is too small."""
        if self.choosing_folds is None:
            return self
        rows = {"validation": self.train, "validation_targets": self.train_targets}
        return replace(self, folds=self.choosing_folds, **rows)

    @property
    def labeled_validation(self) -> LabeledRows:
        """Validation with its targets."""
        return LabeledRows(self.validation, self.validation_targets)

    def target_weights(self, targets: "np.ndarray") -> "np.ndarray | None":
        """Weigh the targets of train for a solver as gradient steps do; None: all count once.

        Args:
            targets: (targets,) ids or numbers, or (targets, labels) of 0 and 1.
        """
        from pipelines.training.balanced_sampler import expected_draws

        if self.row_groups is not None:
            return expected_draws(self.row_groups, len(targets))
        weigh = getattr(self.loss, "target_weights", None)
        return weigh(targets) if weigh else None

    def score(self, outputs: "ModelOutputs", data: LabeledRows | None = None) -> dict[str, float]:
        """Score the outputs of a pass over `data`, or over validation: metric -> score."""
        data = data or self.labeled_validation
        return self.scorer(self._predictions(outputs, data), data.targets, outputs)

    def main_score(self, outputs: "ModelOutputs", data: LabeledRows | None = None) -> float:
        """Score the outputs of a pass over `data`, or validation, by the metric that chooses."""
        data = data or self.labeled_validation
        return self.scorer.main_score(self._predictions(outputs, data), data.targets, outputs)

    def pseudo_values(self, outputs: "ModelOutputs") -> tuple[float, ...]:
        """Say what each fold adds to the score of out-of-fold outputs; empty without folds."""
        if self.folds is None:
            return ()
        from pipelines.evaluation.fold_scores import FoldScores

        data = self.labeled_validation
        predictions = self._predictions(outputs, data)
        scores = FoldScores(self.scorer, predictions, data.targets, outputs, self.folds)
        return scores.pseudo_values

    def _predictions(self, outputs: "ModelOutputs", data: LabeledRows) -> "Predictions":
        from pipelines.evaluation.scorer import predict

        outputs = self.restore(outputs) if self.restore else outputs
        return predict(self.task, outputs, data.rows, self.checkpoint.processor, self.labels)

    @property
    def baseline(self) -> dict[str, float]:
        """The scores on validation of a predictor that never looks at an example."""
        return self.scorer.baseline(self.train_targets, self.validation_targets)

    @property
    def forward_options(self) -> dict[str, Any]:
        """Batch size and workers for passes without gradients, in float32."""
        from pipelines.training.arguments import forward_options

        return forward_options(self.arguments)

    @property
    def fast_options(self) -> dict[str, Any]:
        """The same in the precision of training: for features to learn from, not for evidence."""
        return {**self.forward_options, "bf16": self.arguments.bf16}
