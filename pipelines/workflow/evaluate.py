"""A trained model -> the evidence of how good it is.

validation               -> temperature  -> the same model, calibrated
validation               -> thresholds   -> above which probability each of several labels is given
validation, then test    -> predictions  -> scores, baseline, reliability -> Evidence
train, validation, test  -> simple model -> its scores, to stand beside them
the saved folder, loaded -> predictions  -> parity with the trained model
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.core.labels import HALF, THRESHOLDS, Labels
from pipelines.evaluation.calibration import result, temperature
from pipelines.evaluation.calibration.decisions import Decisions
from pipelines.evaluation.scorer import predict
from pipelines.evaluation.thresholds import Thresholds
from pipelines.models.forward import sample_batch
from pipelines.models.output.reload import reload
from pipelines.report import parity
from pipelines.report.evidence import Evidence, SplitPredictions
from pipelines.training import arguments as training_arguments
from pipelines.workflow import simple_model
from pipelines.workflow.prepared import Prepared

if TYPE_CHECKING:
    from pipelines.evaluation.calibration.result import CalibrationResult
    from pipelines.training.job import Fitted

Scores = dict[str, dict[str, float]]  # split -> metric -> score


@dataclass(frozen=True)
class _Scored:
    """Predictions and scores of each split that is evaluated, beside the baseline's scores.

    `at_half` are the scores without the thresholds that were chosen; empty where none were.
    """

    predictions: dict[str, SplitPredictions]
    scores: Scores
    baseline: Scores
    at_half: Scores


def calibrate(prepared: Prepared, fitted: "Fitted") -> tuple["Fitted", SplitPredictions]:
    """Fit a temperature on validation and fold it into the weights, if the recipe asks for it.

    Returns:
        The model, and its predictions on validation: their logits are divided instead of computed
        a second time.
    """
    validation = _predict_validation(prepared, fitted)
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
    decided = _with_predictions(prepared, chosen, "validation", validation)
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


def evaluate(
    prepared: Prepared, fitted: "Fitted", validation: SplitPredictions, seconds: float
) -> Evidence:
    """Score validation, then test: the only time that test is used."""
    recipe, output = prepared.recipe, fitted.output
    scored = _score(prepared, fitted, validation)
    return Evidence(
        task=recipe.task,
        labels=_labels(prepared, fitted),
        checkpoint=recipe.model.checkpoint,
        strategy=recipe.strategy.name,
        reason=prepared.reason,
        pretrained=recipe.strategy.pretrained,
        library=output.library,
        quantization=recipe.model.quantization,
        prompts=getattr(output, "prompts", False),
        parameters=sum(p.numel() for p in output.model.parameters()),
        trainable=fitted.trainable,
        seconds=seconds,
        waited=fitted.waited,
        speed=fitted.speed,
        examples=_num_examples(prepared),
        main_metric=prepared.scorer.main,
        validation=scored.scores["validation"],
        test=scored.scores.get("test"),
        baseline=scored.baseline,
        # once, not once for each process
        simple_model=processes.from_main(lambda: simple_model.measure(prepared)),
        at_half=scored.at_half,
        lower_is_better=prepared.scorer.lower_is_better(scored.scores["validation"]),
        parity=None,
        history=fitted.history,
        chosen=fitted.chosen,
        pair="text_pair" in prepared.data.validation.column_names,
        predictions=scored.predictions,
        calibration=_reliability(prepared, fitted, scored.predictions),
        fold_scores=_fold_scores(prepared, scored.predictions["validation"]),
        limits=_limits(prepared),
    )


def with_parity(prepared: Prepared, fitted: "Fitted", evidence: Evidence, folder: Path) -> Evidence:
    """Add the parity of what lies in `folder`, loaded by its library alone."""
    options = training_arguments.forward_options(prepared.arguments())
    task, labels, bits = evidence.task, evidence.labels, evidence.quantization
    reloaded = reload(folder, evidence.library, task, labels, bits, **options)
    # on validation, whose predictions are at hand: test is read once
    trained = evidence.predictions["validation"].outputs
    if fitted.out_of_fold is not None:  # those are of other heads than the one that was saved
        trained = _predict(prepared, fitted, "validation").outputs
    return replace(evidence, parity=parity.compare(reloaded, prepared.data.validation, trained))


def _predict_validation(prepared: Prepared, fitted: "Fitted") -> SplitPredictions:
    """Run the model over validation, or take what was computed out of fold."""
    if fitted.out_of_fold is None:
        return _predict(prepared, fitted, "validation")
    outputs = {"logits": fitted.out_of_fold}
    undecided = SplitPredictions(outputs, (), prepared.targets["validation"])
    return _with_predictions(prepared, fitted, "validation", undecided)


def _predict(prepared: Prepared, fitted: "Fitted", split: str) -> SplitPredictions:
    """Run the model over a split."""
    task, rows = prepared.recipe.task, prepared.encoded[split]
    options = training_arguments.forward_options(prepared.arguments())
    outputs = fitted.output.run(
        rows, prepared.collate, task.collect, title=f"predicting {split}", **options
    )
    processor, labels = prepared.checkpoint.processor, _labels(prepared, fitted)
    predictions = predict(task, outputs, rows, processor, labels)
    return SplitPredictions(outputs, predictions, prepared.targets[split])


def _labels(prepared: Prepared, fitted: "Fitted") -> Labels:
    """Return the labels with the thresholds that were chosen for the model."""
    return replace(prepared.data.labels, thresholds=fitted.thresholds)


def _with_predictions(
    prepared: Prepared, fitted: "Fitted", split: str, predicted: SplitPredictions
) -> SplitPredictions:
    """Predict from the same outputs by the thresholds of `fitted`."""
    rows, processor = prepared.encoded[split], prepared.checkpoint.processor
    labels, task = _labels(prepared, fitted), prepared.recipe.task
    predictions = predict(task, predicted.outputs, rows, processor, labels)
    return replace(predicted, predictions=predictions)


def _main_score(prepared: Prepared, predicted: SplitPredictions) -> float:
    return prepared.scorer.main_score(predicted.predictions, predicted.targets, predicted.outputs)


def _score(prepared: Prepared, fitted: "Fitted", validation: SplitPredictions) -> _Scored:
    """Score validation and, if there is one, test."""
    scorer = prepared.scorer
    predictions = {"validation": validation}
    if "test" in prepared.encoded:
        predictions["test"] = _predict(prepared, fitted, "test")
    scores, baseline, at_half = {}, {}, {}
    for split, predicted in predictions.items():
        targets = prepared.targets[split]
        scores[split] = scorer(predicted.predictions, targets, predicted.outputs)
        if fitted.thresholds:
            plain = _with_predictions(prepared, replace(fitted, thresholds=()), split, predicted)
            at_half[split] = scorer(plain.predictions, targets, plain.outputs)
        # chosen on train: from the split itself it would know the right answers
        baseline[split] = scorer.baseline(prepared.targets["train"], targets)
    return _Scored(predictions, scores, baseline, at_half)


def _fold_scores(prepared: Prepared, validation: SplitPredictions) -> tuple[float, ...]:
    """Compute the main score of each fold; none where a split validates."""
    if prepared.folds is None:
        return ()
    return prepared.scorer.fold_scores(
        validation.predictions, validation.targets, validation.outputs, prepared.folds
    )


def _reliability(
    prepared: Prepared, fitted: "Fitted", predictions: dict[str, SplitPredictions]
) -> "CalibrationResult | None":
    """Measure how true the probabilities are, if there are any."""
    recipe, problem_type = prepared.recipe, prepared.data.labels.problem_type
    if not recipe.calibration:
        return None
    pairs = {split: (each.outputs["logits"], each.targets) for split, each in predictions.items()}
    return result.measure(recipe.calibration, fitted.temperature, pairs, problem_type, recipe.seed)


def _limits(prepared: Prepared) -> tuple[str, ...]:
    """Collect what users have to know about inputs; a stream is not looked through."""
    train = prepared.findings.splits.get("train")
    if train is None or prepared.stream is not None:
        return ()
    return tuple(prepared.recipe.task.limits(prepared.encoded["train"], train.measures))


def _num_examples(prepared: Prepared) -> dict[str, int]:
    """Count the examples of each split; of a streamed train, those that the steps read."""
    counts = {split: len(prepared.targets[split]) for split in prepared.data.splits}
    return {**counts, "train": prepared.num_examples}
