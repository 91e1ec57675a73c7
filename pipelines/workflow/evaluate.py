"""A trained model -> the evidence of how good it is.

validation, then test    -> predictions  -> scores, baseline, reliability -> Evidence
and then the target
train, validation, test  -> simple model -> its scores, to stand beside them
validation, test, target -> draws        -> intervals, classes, confusions, the largest losses
validation, test         -> class names  -> zero-shot scores, where the checkpoint reads texts, too
corrupted rows of test   -> predictions  -> robustness, if the recipe asks for it
rows of another source   -> logits, features -> detection, if the recipe names one
rows of another task     -> states, weights  -> forgetting, if the recipe names one
the saved folder, loaded -> predictions  -> parity with the trained model
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines.core import processes
from pipelines.evaluation.calibration import result
from pipelines.evaluation.fold_scores import FoldScores
from pipelines.report.evidence import Evidence, SplitPredictions
from pipelines.workflow import (
    by_source,
    details,
    detection,
    forgetting,
    robustness,
    simple_model,
    zero_shot,
)
from pipelines.workflow.predicting import labels_of, predict, predict_again
from pipelines.workflow.prepared import Prepared

if TYPE_CHECKING:
    from pipelines.evaluation.calibration.result import CalibrationResult
    from pipelines.evaluation.robustness import Robustness
    from pipelines.training.fitted import Fitted

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


def evaluate(
    prepared: Prepared, fitted: "Fitted", validation: SplitPredictions, seconds: float
) -> Evidence:
    """Score validation, then test: the only time that test is used."""
    scored = _score(prepared, fitted, validation)
    folds = _fold_scores(prepared, scored.predictions["validation"])
    return Evidence(
        **_training(prepared, fitted),
        seconds=seconds,
        examples=_num_examples(prepared),
        main_metric=prepared.scorer.main,
        validation=scored.scores["validation"],
        test=scored.scores.get("test"),
        target=scored.scores.get("target"),
        target_name=getattr(prepared.recipe.data, "held_out", None) or "",
        by_source=by_source.measure(prepared, scored.predictions),
        baseline=scored.baseline,
        # once, not once for each process
        simple_model=processes.from_main(lambda: simple_model.measure(prepared)),
        zero_shot=zero_shot.measure(prepared),
        at_half=scored.at_half,
        lower_is_better=prepared.scorer.lower_is_better(scored.scores["validation"]),
        parity=None,
        pair="text_pair" in prepared.data.validation.column_names,
        predictions=scored.predictions,
        calibration=_reliability(prepared, fitted, scored.predictions),
        fold_scores=folds.of_each if folds else (),
        pseudo_values=folds.pseudo_values if folds else (),
        limits=_limits(prepared),
        robustness=_robustness(prepared, fitted, scored.predictions),
        detection=detection.measure(prepared, fitted) if prepared.others is not None else None,
        forgetting=forgetting.measure(prepared, fitted) if prepared.probe_rows else None,
        details=details.measure(prepared, scored.predictions, scored.scores),
        rows=details.rows(prepared),
    )


def _training(prepared: Prepared, fitted: "Fitted") -> dict[str, Any]:
    """Collect the fields of `Evidence` that say what was trained, and how."""
    recipe, output = prepared.recipe, fitted.output
    return {
        "task": recipe.task,
        "labels": labels_of(prepared, fitted),
        "checkpoint": " + ".join(encoder.checkpoint for encoder in recipe.model.alone),
        "strategy": recipe.strategy.name,
        "reason": prepared.reason,
        "compared": prepared.compared,
        "pretrained": recipe.strategy.pretrained,
        "library": output.library,
        "libraries": getattr(output, "libraries", ()),
        "quantization": recipe.model.quantization,
        "prompts": getattr(output, "prompts", False),
        "parameters": sum(p.numel() for p in output.model.parameters()),
        "trainable": fitted.trainable,
        "waited": fitted.waited,
        "speed": fitted.speed,
        "history": fitted.history,
        "chosen": fitted.chosen,
    }


def _score(prepared: Prepared, fitted: "Fitted", validation: SplitPredictions) -> _Scored:
    """Score validation and, if they are there, test and the target."""
    scorer = prepared.scorer
    predictions = {"validation": validation}
    for split in ("test", "target"):
        if split in prepared.encoded:
            predictions[split] = predict(prepared, fitted, split)
    scores, baseline, at_half = {}, {}, {}
    for split, predicted in predictions.items():
        targets = prepared.targets[split]
        scores[split] = scorer(predicted.predictions, targets, predicted.outputs)
        if fitted.thresholds:
            plain = predict_again(prepared, replace(fitted, thresholds=()), split, predicted)
            at_half[split] = scorer(plain.predictions, targets, plain.outputs)
        # chosen on train: from the split itself it would know the right answers
        baseline[split] = scorer.baseline(prepared.targets["train"], targets)
    return _Scored(predictions, scores, baseline, at_half)


def _fold_scores(prepared: Prepared, of: SplitPredictions) -> FoldScores | None:
    """Return what scores folds; None where a split validates."""
    if prepared.folds is None:
        return None
    return FoldScores(prepared.scorer, of.predictions, of.targets, of.outputs, prepared.folds)


def _reliability(
    prepared: Prepared, fitted: "Fitted", predictions: dict[str, SplitPredictions]
) -> "CalibrationResult | None":
    """Measure how true the probabilities are, if there are any."""
    recipe, problem_type = prepared.recipe, prepared.data.labels.problem_type
    if not recipe.calibration:
        return None
    pairs = {
        split: (each.outputs["logits"], each.targets)
        for split, each in predictions.items()
        if split != "target"  # probabilities were fitted where the model was trained
    }
    groups = prepared.data.splits["train" if prepared.data.is_folded else "validation"].groups
    return result.measure(
        recipe.calibration,
        fitted.temperature,
        pairs,
        problem_type,
        recipe.seed,
        groups.numbers if groups else None,
    )


def _robustness(
    prepared: Prepared, fitted: "Fitted", predictions: dict[str, SplitPredictions]
) -> "Robustness | None":
    """Score the last split under corruptions, if the recipe asks for it."""
    if not prepared.recipe.evaluation.robustness:
        return None
    split = [*prepared.data.splits][-1]  # the target, which has predictions too, is no split
    return robustness.measure(prepared, fitted, split, predictions[split])


def _limits(prepared: Prepared) -> tuple[str, ...]:
    """Collect what users have to know about inputs; a stream is not looked through."""
    train = prepared.findings.splits.get("train")
    if train is None or prepared.stream is not None:
        return ()
    return tuple(prepared.recipe.task.limits(prepared.encoded["train"], train.measures))


def _num_examples(prepared: Prepared) -> dict[str, int]:
    """Count the examples of each split; of a streamed train, those that the steps read."""
    counts = {split: len(prepared.targets[split]) for split in prepared.data.splits}
    counts["train"] = prepared.num_examples
    if prepared.target is not None:
        counts["target, without labels"] = len(prepared.target)
    if "target" in prepared.targets:
        counts["target"] = len(prepared.targets["target"])
    return counts
