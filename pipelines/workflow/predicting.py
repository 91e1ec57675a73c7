"""A trained model and a split -> its predictions, by the thresholds that were chosen for it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.core.labels import Labels
from pipelines.evaluation.scorer import predict as decode
from pipelines.report.evidence import SplitPredictions
from pipelines.training import arguments as training_arguments
from pipelines.workflow.prepared import Prepared

if TYPE_CHECKING:
    from pipelines.training.fitted import Fitted


def predict_validation(prepared: Prepared, fitted: "Fitted") -> SplitPredictions:
    """Run the model over validation, or take what was computed out of fold."""
    if fitted.out_of_fold is None:
        return predict(prepared, fitted, "validation")
    outputs = {"logits": fitted.out_of_fold}
    undecided = SplitPredictions(outputs, (), prepared.targets["validation"])
    return predict_again(prepared, fitted, "validation", undecided)


def predict(prepared: Prepared, fitted: "Fitted", split: str) -> SplitPredictions:
    """Run the model over a split."""
    task, rows = prepared.recipe.task, prepared.encoded[split]
    options = training_arguments.forward_options(prepared.arguments())
    outputs = fitted.output.run(
        prepared.rows(split),
        prepared.collate,
        task.collect,
        title=f"predicting {split}",
        **options,
    )
    processor, labels = prepared.checkpoint.processor, labels_of(prepared, fitted)
    predictions = decode(task, outputs, rows, processor, labels)
    return SplitPredictions(outputs, predictions, prepared.targets[split])


def labels_of(prepared: Prepared, fitted: "Fitted") -> Labels:
    """Return the labels with the thresholds that were chosen for the model."""
    return replace(prepared.data.labels, thresholds=fitted.thresholds)


def predict_again(
    prepared: Prepared, fitted: "Fitted", split: str, predicted: SplitPredictions
) -> SplitPredictions:
    """Predict from the same outputs by the thresholds of `fitted`."""
    rows, processor = prepared.encoded[split], prepared.checkpoint.processor
    labels, task = labels_of(prepared, fitted), prepared.recipe.task
    predictions = decode(task, predicted.outputs, rows, processor, labels)
    return replace(predicted, predictions=predictions)
