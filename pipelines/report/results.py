"""The evidence as files in the run folder: predictions, history, metrics.json."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipelines.report import (
    adaptation_text,
    baseline,
    evidence_file,
    example_table,
    oracle_text,
    predictions,
    source_text,
    strict_json,
    threshold_text,
    wise_ft_curve,
)
from pipelines.report.evidence import Evidence
from pipelines.report.run_folder import RunFolder
from pipelines.report.usage import usage
from pipelines.report.writing import writing

if TYPE_CHECKING:
    from pipelines.evaluation.simple_model import SimpleScores


def write(folder: RunFolder, evidence: Evidence) -> None:
    """Write predictions, history and, last, metrics.json, which marks the run as done.

    Raises:
        RunError: the folder cannot be written.
    """
    with writing(folder.path):
        folder.predictions.mkdir(exist_ok=True)
        calibrated = evidence.calibration
        threshold = calibrated.sets.threshold if calibrated and calibrated.sets else None
        for split, predicted in evidence.predictions.items():
            path = folder.predictions / f"{split}.csv"
            rows = evidence.rows.get(split)
            # blocks of texts are no rows
            by_row = rows if rows is not None and len(rows) == len(predicted.targets) else None
            sources = None if by_row is None else by_row.sources
            predictions.write(path, predicted, evidence.labels, threshold, sources)
            example_table.write(path.with_suffix(".parquet"), predicted, evidence.labels, rows)
        evidence_file.write(folder.evidence, evidence.details, evidence.labels)
        strict_json.write_lines(folder.history, evidence.history)
        # last: a crash before leaves a run that can be resumed
        strict_json.write(folder.metrics, _metrics(evidence))


def _folds(evidence: Evidence) -> dict[str, Any] | None:
    """Describe the folds that "validation" stands for; None where it is a split."""
    if not evidence.fold_scores:
        return None
    return {
        "count": len(evidence.fold_scores),
        "validation_is": "every row of train, scored by a head that did not see its fold",
        evidence.main_metric: list(evidence.fold_scores),
        "standard_error": evidence.standard_error,
    }


def _intervals(evidence: Evidence) -> dict[str, Any]:
    """Return the interval of the main score of each split; evidence.json has those of all."""
    bounds = {split: evidence.interval(split) for split in evidence.details}
    return {s: {evidence.main_metric: asdict(each)} for s, each in bounds.items() if each}


def _metrics(evidence: Evidence) -> dict[str, Any]:
    return {
        "task": evidence.task.name,
        "strategy": evidence.strategy,
        "reason": evidence.reason,
        "examples": evidence.examples,
        "main_metric": evidence.main_metric,
        "greater_is_better": evidence.main_metric not in evidence.lower_is_better,
        "validation": evidence.validation,
        "intervals": _intervals(evidence),
        "folds": _folds(evidence),
        "test": evidence.test,
        "target": evidence.target,
        "sources": source_text.as_json(evidence),
        "baseline": evidence.baseline,
        "simple_model": _scores_of(evidence.simple_model),
        "zero_shot": _scores_of(evidence.zero_shot),
        "thresholds": threshold_text.as_json(evidence),
        "calibration": evidence.calibration.json() if evidence.calibration else None,
        "robustness": evidence.robustness.json() if evidence.robustness else None,
        "wise_ft": [*wise_ft_curve.points(evidence)] or None,
        "adaptation": adaptation_text.entry(evidence),
        "target_oracle": oracle_text.entry(evidence),
        "out_of_distribution": evidence.detection.json() if evidence.detection else None,
        "forgetting": evidence.forgetting.json() if evidence.forgetting else None,
        "training": {
            "seconds": round(evidence.seconds, 3),
            "waiting_for_data": evidence.waited,
            "peak_memory_bytes": evidence.peak_memory,
            "energy_joules": None if evidence.energy is None else round(evidence.energy, 1),
            "trainable_parameters": evidence.trainable,
            "parameters": evidence.parameters,
            "chosen": evidence.chosen,
        },
        "speed": {d.name: {"on": d.on, "reason": d.reason} for d in evidence.speed},
        "warnings": [*baseline.warnings(evidence)],
        "parity": vars(evidence.parity) if evidence.parity else None,
        "printed_lines": vars(evidence.printed) if evidence.printed else None,
        "usage": usage(evidence, "model"),
    }


def _scores_of(simple: "SimpleScores | None") -> dict[str, Any] | None:
    """Return scores by split beside name and seconds, as those of the model itself stand."""
    if simple is None:
        return None
    if simple.skipped:
        return {"name": simple.name, "skipped": simple.skipped}
    return {"name": simple.name, "seconds": round(simple.seconds, 3), **simple.scores}
