"""One answer for each example: a label, several labels or a number."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.core import labels as target
from pipelines.core.errors import RecipeError
from pipelines.tasks import Answers, ModelOutputs, Task

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.core.labels import Labels

METRICS = {
    target.SINGLE: ("accuracy", "f1"),
    target.MULTI: ("f1", "accuracy"),
    target.REGRESSION: ("pearson", "spearman", "mse"),
}


class Classification(Task):
    """What classification tasks of all modalities share; the problem type follows from the label
    column."""

    answers_per: ClassVar[Literal["example", "token"] | None] = "example"

    problem_type: str = "auto"  # or single_label_classification, multi_label_…, regression
    class_weights: Literal["balanced"] | None = Field(
        None, description="balanced: a class weighs as much as the inverse of its share of train"
    )

    def labels(self, train: "Dataset") -> "Labels":
        """The classes of the label column, or that it holds numbers."""
        found = target.infer(train, self.problem_type)
        if self.class_weights and found.problem_type != target.SINGLE:
            raise RecipeError(
                f"task.class_weights: classes are balanced for {target.SINGLE} only; this is a "
                f"{found.problem_type}"
            )
        return found

    def metrics(self, labels: "Labels") -> tuple[str, ...]:
        """Accuracy and F1 (several labels: F1 first), or correlations."""
        return METRICS[labels.problem_type]

    def example(self, labels: "Labels") -> tuple[Answers, Answers]:
        """Every class twice."""
        answers = labels.example()
        return answers, answers

    def configure(self, config: "PretrainedConfig", processor: Any, labels: "Labels") -> None:
        """The loss follows from the problem type."""
        fields: Any = config  # it declares three literals, which ours are
        fields.problem_type = labels.problem_type

    def targets(self, dataset: "Dataset", rows: Any, labels: "Labels") -> Answers:
        """Class ids, 0/1 vectors or floats."""
        encoded = labels.encode(dataset["label"][:], "data")
        return np.asarray(encoded, int) if labels.problem_type == target.MULTI else encoded

    def predict(self, kept: ModelOutputs, rows: Any, processor: Any, labels: "Labels") -> Answers:
        """Class ids, 0/1 rows (probability above 0.5) or numbers."""
        return labels.predict(np.asarray(kept["logits"]))

    def baseline(self, train: Answers, targets: Answers, labels: "Labels") -> Answers:
        """The mean, or the most frequent label(s)."""
        return labels.baseline(train, len(targets))

    def loss(self, train: Answers, labels: "Labels") -> Callable[..., Any] | None:
        """Cross-entropy with `class_weights`."""
        if not self.class_weights:
            return None
        from pipelines.core.losses import CrossEntropy

        return CrossEntropy(labels.class_weights(train))
