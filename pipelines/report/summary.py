"""The text that a run ends with."""

import shlex
from collections.abc import Iterator

from pipelines.core import registry
from pipelines.report import (
    adaptation_text,
    baseline,
    calibration_text,
    detection_text,
    forgetting_text,
    next_commands,
    oracle_text,
    robustness_text,
    source_text,
    threshold_text,
    wise_ft_curve,
)
from pipelines.report.evidence import Evidence
from pipelines.report.run_folder import RunFolder
from pipelines.report.tables import align, interval_notes, score_rows
from pipelines.report.usage import usage

MIB = 2**20


def summarize(folder: RunFolder, evidence: Evidence) -> str:
    """Describe what was trained, how good it is, where the model is and how to use it."""
    model = folder.model.as_posix()
    share = evidence.trainable / evidence.parameters
    # only `auto` has a reason: without one the strategy was the user's choice
    chosen = f"chosen: {evidence.strategy}; reason: {evidence.reason}" if evidence.reason else ""
    return "\n".join(
        [
            f"{evidence.task.name} on {evidence.checkpoint}, strategy {evidence.strategy}",
            *([chosen] if chosen else ()),
            f"trained {evidence.trainable:,} of {evidence.parameters:,} parameters ({share:.2%}) "
            f"in {evidence.seconds:.1f} s{_waiting_time(evidence)}",
            "",
            *align(list(score_rows(evidence))),
            *_fold_line(evidence),
            *interval_notes(evidence),
            *baseline.others(evidence),
            *baseline.warnings(evidence),
            "",
            *(calibration_text.lines(evidence.calibration) if evidence.calibration else ()),
            *source_text.lines(evidence),
            *threshold_text.lines(evidence),
            *robustness_text.lines(evidence),
            *wise_ft_curve.lines(evidence),
            *adaptation_text.lines(evidence),
            *oracle_text.lines(evidence),
            *detection_text.lines(evidence),
            *forgetting_text.lines(evidence),
            f"reload parity: {evidence.parity or 'not checked'}",
            *([f"the lines below: {evidence.printed}"] if evidence.printed else ()),
            f"model: {model}",
            *([f"report: {folder.report.as_posix()}"] if folder.report.is_file() else ()),
            *_adapter_size(folder, evidence),
            *_next_lines(folder, evidence),
            "",
            usage(evidence, model),
        ]
    )


def _next_lines(folder: RunFolder, evidence: Evidence) -> Iterator[str]:
    """Yield how to predict and how to push, where the run can."""
    if words := next_commands.predicting(str(folder), evidence.task.name):
        yield f"to predict: {shlex.join(words)}"
    if words := next_commands.pushing(str(folder), evidence.library):
        yield f"to push: {shlex.join(words)}"


def _fold_line(evidence: Evidence) -> Iterator[str]:
    """Yield a line on the interval of the main score where folds validated."""
    if evidence.standard_error is not None:
        score = evidence.validation[evidence.main_metric]
        yield (
            f"out of fold: {evidence.main_metric} {score:.4f}, standard error over "
            f"{len(evidence.fold_scores)} folds {evidence.standard_error:.4f}{_choice(evidence)}"
        )


def _choice(evidence: Evidence) -> str:
    """Say what the folds chose by this score; empty where each was only trained and scored."""
    strategy = registry.find("strategies", evidence.strategy)
    if len(evidence.compared) > 1:
        chosen = "the strategy"
    elif strategy.cross_validates:
        chosen = "the head"
    else:
        return ""
    return f"; the folds also chose {chosen}, so it is a little too optimistic"


def _adapter_size(folder: RunFolder, evidence: Evidence) -> Iterator[str]:
    """Yield a line only where the folder holds an adapter and not a whole model."""
    if evidence.library == "peft":
        size = sum(file.stat().st_size for file in folder.model.glob("*.safetensors"))
        yield f"an adapter of {size / MIB:,.1f} MiB, for {evidence.checkpoint}"


def _waiting_time(evidence: Evidence) -> str:
    if evidence.waited is None:
        return ""
    return f", {evidence.waited:.1%} of it waiting for data"
