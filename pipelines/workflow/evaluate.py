"""A trained model -> the evidence of what it is worth.

validation ── temperature ──▶ the model, calibrated
validation, then test ──▶ predictions ── scores, floor, reliability ──▶ Evidence
the saved folder, loaded afresh ──▶ parity
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.console import say
from pipelines.evaluation import scorer as evaluation
from pipelines.evaluation.calibration import calibrated, temperature
from pipelines.evaluation.calibration.calibrated import Calibrated
from pipelines.evaluation.calibration.decisions import Decisions
from pipelines.models.forward import sample_batch
from pipelines.models.output import reload
from pipelines.report import parity
from pipelines.report.evidence import Evidence, Predictions
from pipelines.training import arguments as training_arguments
from pipelines.workflow.prepare import Prepared

if TYPE_CHECKING:
    from pipelines.training.job import Fitted


def calibrate(prepared: Prepared, fitted: "Fitted") -> tuple["Fitted", Predictions]:
    """The model with the temperature of validation in its weights, and what it says of validation.

    Dividing the logits that are there already stands for a second pass.
    """
    said = _predictions(prepared, fitted, "validation")
    asked, labels = prepared.recipe.calibration, prepared.data.labels
    if not asked or not asked.temperature:
        return fitted, said
    logits: Any = said.kept["logits"]
    found = temperature.fit(Decisions.of(logits, said.targets, labels.problem_type))
    output = fitted.output.with_temperature(
        found, sample_batch(prepared.encoded["validation"], prepared.collate)
    )
    if output is None:
        say("calibration: no linear layer has the last word: probabilities stay as trained")
        return fitted, said
    fitted = replace(fitted, output=output, temperature=found)
    return fitted, replace(said, kept={**said.kept, "logits": logits / found})


def _predictions(prepared: Prepared, fitted: "Fitted", split: str) -> Predictions:
    """What the model says of a split."""
    task, rows, collate = prepared.recipe.task, prepared.encoded[split], prepared.collate
    options = training_arguments.forward_options(prepared.arguments())
    kept = fitted.output.run(rows, collate, task.collect, title=f"predicting {split}", **options)
    processor, labels = prepared.checkpoint.processor, prepared.data.labels
    predicted = evaluation.predict(task, kept, rows, processor, labels)
    return Predictions(kept, predicted, prepared.targets[split])


def _reliability(
    prepared: Prepared, fitted: "Fitted", predictions: dict[str, Predictions]
) -> Calibrated | None:
    """How true the probabilities are, where there are any."""
    recipe, kind = prepared.recipe, prepared.data.labels.problem_type
    if not recipe.calibration:
        return None
    said = {split: (found.kept["logits"], found.targets) for split, found in predictions.items()}
    return calibrated.measure(recipe.calibration, fitted.temperature, said, kind, recipe.seed)


def examine(
    prepared: Prepared, fitted: "Fitted", validation: Predictions, seconds: float
) -> Evidence:
    """Score validation, then test: the one time that test is looked at."""
    recipe, labels, scorer = prepared.recipe, prepared.data.labels, prepared.scorer
    task = recipe.task
    predictions = {"validation": validation}
    scores: dict[str, dict[str, float]] = {}
    baseline: dict[str, dict[str, float]] = {}
    if "test" in prepared.encoded:
        predictions["test"] = _predictions(prepared, fitted, "test")
    for split, said in predictions.items():
        targets = prepared.targets[split]
        scores[split] = scorer(said.predictions, targets)
        constant = task.baseline(prepared.targets["train"], targets, labels)
        baseline[split] = scorer(constant, targets)
    return Evidence(
        task=task,
        labels=labels,
        checkpoint=recipe.model.checkpoint,
        strategy=recipe.strategy.name,
        reason=recipe.strategy.reason,
        pretrained=recipe.strategy.pretrained,
        library=fitted.output.library,
        quantization=recipe.model.quantization,
        prompts=getattr(fitted.output, "prompts", False),
        parameters=sum(p.numel() for p in fitted.output.model.parameters()),
        trainable=fitted.trainable,
        seconds=seconds,
        waited=fitted.waited,
        examples={
            split: prepared.num_examples if split == "train" else len(targets)
            for split, targets in prepared.targets.items()
        },
        main_metric=scorer.main,
        validation=scores["validation"],
        test=scores.get("test"),
        baseline=baseline,
        parity=None,
        history=fitted.history,
        chosen=fitted.chosen,
        pair="text_pair" in prepared.data.validation.column_names,
        predictions=predictions,
        calibration=_reliability(prepared, fitted, predictions),
    )


def reloaded(prepared: Prepared, evidence: Evidence, folder: Path) -> Evidence:
    """With the parity of what lies in `folder`, loaded by its library alone."""
    options = training_arguments.forward_options(prepared.arguments())
    task, labels, bits = evidence.task, evidence.labels, evidence.quantization
    predict = reload(folder, evidence.library, task, labels, bits, **options)
    trained = evidence.predictions["validation"].kept
    return replace(evidence, parity=parity.compare(predict, prepared.data.validation, trained))
