"""Prepared -> what was learned, and the evidence of how good it is; test is scored here, once."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.core import energy, hardware
from pipelines.core.console import say
from pipelines.core.peak_memory import PeakMemory
from pipelines.report.evidence import Evidence
from pipelines.report.run_folder import RunFolder
from pipelines.training import trackers
from pipelines.workflow import shifted_rows
from pipelines.workflow.calibrate import calibrate, decide
from pipelines.workflow.evaluate import evaluate
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.resume import Resumed
from pipelines.workflow.train import job_of, train

if TYPE_CHECKING:
    from pipelines.training.fitted import Fitted


def learn(
    prepared: Prepared, folder: RunFolder, resumed: Resumed | None
) -> tuple["Fitted", Evidence]:
    """Train, calibrate and evaluate; test is scored here, once."""
    peak = PeakMemory(prepared.recipe.training)
    with energy.measuring(prepared.recipe.training) as meter:
        fitted, seconds = _fit(prepared, folder, resumed)
    num_bytes = peak.num_bytes
    joules = None if fitted.seconds_before else meter.joules  # counted from the resumption on
    fitted, validation = calibrate(prepared, fitted)
    fitted, validation = decide(prepared, fitted, validation)
    evidence = evaluate(prepared, fitted, validation, seconds)
    return fitted, replace(evidence, peak_memory=num_bytes, energy=joules)


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
