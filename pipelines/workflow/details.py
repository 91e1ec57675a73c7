"""The splits of a run that are scored -> what stands behind their scores."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.core import processes
from pipelines.evaluation import details

if TYPE_CHECKING:
    from pipelines.data.rows import Rows
    from pipelines.evaluation.details import SplitDetails
    from pipelines.report.evidence import SplitPredictions
    from pipelines.workflow.prepared import Prepared


def measure(
    prepared: "Prepared",
    predictions: "Mapping[str, SplitPredictions]",
    scores: Mapping[str, Mapping[str, float]],
) -> "dict[str, SplitDetails]":
    """Look behind the scores of each split, on the main process, which alone reports them."""
    measured: dict[str, SplitDetails] = {}
    if not processes.is_main():
        return measured
    rows_by_split = rows(prepared)
    for split, each in predictions.items():
        groups = rows_by_split[split].groups
        # blocks of texts are no rows, and belong to no group
        is_grouped = groups is not None and len(groups.numbers) == len(each.targets)
        measured[split] = details.measure(
            prepared.scorer,
            each.predictions,
            each.targets,
            each.outputs,
            scores[split],
            groups=groups.numbers if groups is not None and is_grouped else None,
            seed=prepared.recipe.seed,
        )
    return measured


def rows(prepared: "Prepared") -> "dict[str, Rows]":
    """Return the rows of each split that is scored."""
    data, target = prepared.data, prepared.data.target
    scored = {split: data.splits[split] for split in data.splits if split != "train"}
    if data.is_folded:
        scored["validation"] = data.splits["train"]
    return {**scored, "target": target.labeled} if target and target.labeled else scored
