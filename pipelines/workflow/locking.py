"""What a run writes down before it trains: recipe, lock, and what was found in the data."""

from typing import Any

from pipelines.core import processes
from pipelines.models import base_card
from pipelines.report import data_report, lock
from pipelines.report.run_folder import RunFolder
from pipelines.workflow.continuation import refuse_other_contents
from pipelines.workflow.original import Original
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.resume import Resumed


def write_lock(
    prepared: Prepared,
    folder: RunFolder,
    resumed: Resumed | None = None,
    original: Original | None = None,
) -> dict[str, Any]:
    """Write down what the recipe meant today, before training.

    Args:
        original: the run, or the stage of one, that this one repeats.

    Returns:
        The lock.

    Raises:
        RunError: of a run that goes on, data or checkpoint are not what they were.
    """
    before = resumed.lock if resumed and resumed.is_trained else {}
    locked = lock.collect(
        prepared.recipe,
        commit=prepared.checkpoint.commit,
        beside_commits=[each.commit for each in prepared.checkpoint.beside],
        merged_commits=prepared.checkpoint.merged_commits,
        base_card=base_card.inherited(prepared.recipe.model, prepared.checkpoint.commit),
        num_processes=processes.num_processes(),
        reason=prepared.reason,
        compared=prepared.compared,
        repeats=original.entry if original else before.get("repeats"),
    )
    if before:
        refuse_other_contents(folder, before, locked)
    processes.wait()  # all have read the lock that is written now
    if processes.is_main():
        lock.write(folder, prepared.recipe, locked)
        data_report.write(folder, prepared.data, prepared.findings)
    return locked
