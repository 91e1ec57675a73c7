"""A trained model -> the same model with what validation chose after training.

validation -> temperature -> the same model, calibrated
validation -> thresholds  -> above which probability each of several labels is given
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.core.console import say
from pipelines.core.labels import HALF, THRESHOLDS
from pipelines.evaluation.calibration import temperature
from pipelines.evaluation.calibration.decisions import Decisions
from pipelines.evaluation.thresholds import Thresholds
from pipelines.models.forward import sample_batch
from pipelines.report.evidence import SplitPredictions
from pipelines.workflow.predicting import predict_again, predict_validation
from pipelines.workflow.prepared import Prepared

if TYPE_CHECKING:
    from pipelines.training.fitted import Fitted


def calibrate(prepared: Prepared, fitted: "Fitted") -> tuple["Fitted", SplitPredictions]:
    """Fit a temperature on validation and fold it into the weights, if the recipe asks for it.

    Returns:
        The model, and its predictions on validation: their logits are divided instead of computed
        a second time.
    """
    validation = predict_validation(prepared, fitted)
    section, labels = prepared.recipe.calibration, prepared.data.labels
    if not section or not section.temperature:
        return fitted, validation
    logits: Any = validation.outputs["logits"]
    decisions = Decisions.of(logits, validation.targets, labels.problem_type)
    fitted_temperature = temperature.fit(decisions)
    batch = sample_batch(prepared.encoded["validation"], prepared.collate)
    output = fitted.output.with_temperature(fitted_temperature, batch)
    if output is None:
        say(
            "calibration skipped: the logits do not come from one linear layer, so a temperature "
            "cannot be folded into the weights"
        )
        return fitted, validation
    fitted = replace(fitted, output=output, temperature=fitted_temperature)
    outputs = {**validation.outputs, "logits": logits / fitted_temperature}
    return fitted, replace(validation, outputs=outputs)


def decide(
    prepared: Prepared, fitted: "Fitted", validation: SplitPredictions
) -> tuple["Fitted", SplitPredictions]:
    """Choose on validation above which probability each of several labels is given.

    They are kept in the model's config, and stay at 0.5 where the main score of validation would
    be worse with them, or where there are too few examples.

    Returns:
        The model, and its predictions on validation.
    """
    section, labels = prepared.recipe.calibration, prepared.data.labels
    config = fitted.output.model.config
    # what an earlier run has chosen for this checkpoint is not true of the model any more
    vars(config).pop(THRESHOLDS, None)
    if not section or not section.thresholds:
        return fitted, validation
    thresholds = Thresholds.of(validation.outputs["logits"], validation.targets)
    chosen = replace(fitted, thresholds=thresholds.values)
    decided = predict_again(prepared, chosen, "validation", validation)
    before, after = (_main_score(prepared, each) for each in (validation, decided))
    if set(thresholds.values) == {HALF}:
        say(f"thresholds: all stay at {HALF}: {thresholds}")
        return fitted, validation
    changes = f"{prepared.scorer.main} on validation {before:.4f} -> {after:.4f}"
    if after < before if prepared.scorer.greater_is_better else after > before:
        say(f"thresholds: all stay at {HALF}; with those of the best F1 for each label: {changes}")
        return fitted, validation
    say(f"thresholds: {thresholds}; {changes}, where they were chosen")
    setattr(config, THRESHOLDS, dict(zip(labels.names, thresholds.values, strict=True)))
    return chosen, decided


def _main_score(prepared: Prepared, predicted: SplitPredictions) -> float:
    return prepared.scorer.main_score(predicted.predictions, predicted.targets, predicted.outputs)
