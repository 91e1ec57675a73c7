"""Shared by classification tasks: one label, several labels or a number for each example."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from pipelines.core import labels as target
from pipelines.core.errors import RecipeError
from pipelines.core.label_inference import infer
from pipelines.tasks import ModelOutputs, Predictions, Targets, Task

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.core.labels import Labels

# F1 leads for several labels: predicting none of them already gets a high accuracy
METRICS = {
    target.SINGLE: ("accuracy", "f1"),
    target.MULTI: ("f1", "accuracy"),
    target.REGRESSION: ("pearson", "spearman", "mse"),
}


class Classification(Task):
    """What classification tasks of all modalities share; the problem type follows from the label
    column."""

    prediction_unit: ClassVar[Literal["example", "token"] | None] = "example"

    problem_type: str = Field(
        "auto",
        description="single_label_classification, multi_label_classification or regression; "
        "auto: as the label column shows",
    )
    class_weights: Literal["balanced"] | None = Field(
        None,
        description="balanced: a class weighs as much as the inverse of its share of train; of "
        "several labels, having one as much as not having it (at most 100 to 1)",
    )

    sampler: Literal["balanced"] | None = Field(
        None,
        description="balanced: an epoch draws as many rows of each class as of any other; of "
        "several labels, as many rows that have each, and as many that have none",
    )

    @model_validator(mode="after")
    def _balances_once(self) -> "Classification":
        if self.class_weights and self.sampler:
            raise ValueError(
                "class_weights and sampler: both are 'balanced', and a rare class would count "
                "twice; set one of them"
            )
        return self

    def labels(self, train: "Dataset") -> "Labels":
        """Infer classes and problem type from the label column.

        Raises:
            DataError: the column holds fewer than two classes.
            RecipeError: `problem_type` is unknown, or has no classes to balance.
        """
        labels = infer(train, self.problem_type)
        for key in ("class_weights", "sampler"):
            value = getattr(self, key)
            if value and labels.problem_type not in (target.SINGLE, target.MULTI):
                raise RecipeError(
                    f"task.{key}: '{value}' needs classes, and the label column makes this a "
                    f"{labels.problem_type}; remove task.{key}"
                )
        return labels

    def metrics(self, labels: "Labels") -> tuple[str, ...]:
        """Name accuracy and F1 (several labels: F1 first), or correlations and squared error."""
        return METRICS[labels.problem_type]

    def example(self, labels: "Labels") -> tuple[Predictions, Targets]:
        """Return right predictions of every class."""
        targets = labels.example()
        return targets, targets

    def configure(self, config: "PretrainedConfig", processor: Any, labels: "Labels") -> None:
        """Set the problem type, from which transformers derives the loss."""
        fields: Any = config  # typed as one of three literals, which ours are
        fields.problem_type = labels.problem_type

    def targets(self, dataset: "Dataset", rows: Any, labels: "Labels") -> Targets:
        """Return class ids, 0/1 vectors (examples, classes) or floats."""
        encoded = labels.encode(dataset["label"][:], "data")
        return np.asarray(encoded, int) if labels.problem_type == target.MULTI else encoded

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: "Labels"
    ) -> Predictions:
        """Predict class ids, 0/1 rows (probability above 0.5 or a threshold) or numbers."""
        return labels.predict(np.asarray(outputs["logits"]))

    def baseline(self, train: Targets, targets: Targets, labels: "Labels") -> Predictions:
        """Predict the mean, or the most frequent label(s)."""
        return labels.baseline(train, len(targets))

    def loss(self, train: Targets, labels: "Labels") -> Callable[..., Any] | None:
        """Return cross-entropy weighted by class, if the recipe asks for `class_weights`."""
        if not self.class_weights:
            return None
        from pipelines.core.losses import BinaryCrossEntropy, CrossEntropy

        if labels.problem_type == target.MULTI:
            return BinaryCrossEntropy(labels.positive_weights(train))
        return CrossEntropy(labels.class_weights(train))

    def row_groups(self, train: Targets, labels: "Labels") -> "list[np.ndarray] | None":
        """Return the rows of each class, if the recipe asks for `sampler`."""
        return labels.row_groups(train) if self.sampler else None
