"""Prepared -> what was learned, and the evidence of how good it is; test is scored here, once."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pipelines.core import energy, hardware
from pipelines.core.console import say
from pipelines.core.peak_memory import PeakMemory
from pipelines.report.evidence import Evidence
from pipelines.report.run_folder import RunFolder
from pipelines.training import trackers
from pipelines.workflow import shifted_rows
from pipelines.workflow.calibrate import calibrate, decide
from pipelines.workflow.evaluate import evaluate
from pipelines.workflow.predicting import predict_validation
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.probe_instead import ProbeInstead
from pipelines.workflow.resume import Resumed
from pipelines.workflow.train import job_of, train

if TYPE_CHECKING:
    from pipelines.training.fitted import Fitted


class Learned(NamedTuple):
    """What was learned, and the evidence of how good it is.

    Attributes:
        prepared: that it was learned from; another one, where a probe took its place.
    """

    prepared: Prepared
    fitted: "Fitted"
    evidence: Evidence


def learn(
    prepared: Prepared,
    folder: RunFolder,
    resumed: Resumed | None,
    probe: ProbeInstead | None,
) -> Learned:
    """Train, calibrate and evaluate; test is scored here, once.

    Args:
        probe: what takes the place of a training that is worse on validation, if anything does.
    """
    peak = PeakMemory(prepared.recipe.training)
    with energy.measuring(prepared.recipe.training) as meter:
        fitted, seconds = _fit(prepared, folder, resumed)
        is_whole = not fitted.seconds_before  # energy is counted from the resumption on
        if better := probe and probe.after(prepared, predict_validation(prepared, fitted)):
            prepared = better
            fitted, seconds_of_probe = _fit(prepared, folder, None)
            seconds += seconds_of_probe
    num_bytes, joules = peak.num_bytes, meter.joules if is_whole else None
    fitted, validation = calibrate(prepared, fitted)
    fitted, validation = decide(prepared, fitted, validation)
    evidence = evaluate(prepared, fitted, validation, seconds)
    return Learned(prepared, fitted, replace(evidence, peak_memory=num_bytes, energy=joules))


def _fit(prepared: Prepared, folder: RunFolder, resumed: Resumed | None) -> tuple["Fitted", float]:
    """Train; returns the result and the seconds that it took, those before it resumed included."""
    recipe = prepared.recipe
    resume_from = resumed.checkpoint if resumed else None
    rows = shifted_rows.of(prepared)
    job = job_of(
        prepared,
        folder.checkpoints,
        resume_from=resume_from,
        shifted=rows,
        oracle=shifted_rows.oracle(prepared),
    )
    of_a_stream = " of a stream" if prepared.stream is not None else ""
    say(
        f"{folder}: {recipe.strategy.name} on {prepared.num_examples:,} examples{of_a_stream}, "
        f"{hardware.describe(job.arguments)}"
    )
    started = time.monotonic()
    with trackers.recording(recipe.training, folder.path):
        fitted = train(recipe, job)
    return fitted, time.monotonic() - started + fitted.seconds_before
