"""Rows that are unlike train, for the curve of WiSE-FT and for the oracle of a target.

validation -> each row under one kind of corruption, in turn -> encoded rows, their targets
"""

from pipelines.core import cache
from pipelines.evaluation import corruptions
from pipelines.evaluation.robustness import draw_rows
from pipelines.training.job import LabeledRows
from pipelines.training.row_subset import RowSubset
from pipelines.workflow.prepared import Prepared

SEVERITY = 3  # of 5
CORRUPTED = "corrupted"


def of(prepared: Prepared) -> dict[str, LabeledRows]:
    """Return the rows that points between probe and fine-tuned weights are scored on, too.

    At most 1,000 of each. Corrupted are rows of validation: of test there is one score, once.

    Returns:
        Empty without `averaging.wise_ft`; the target where it has labels, and corrupted rows where
        the recipe asks for robustness.
    """
    recipe, rows = prepared.recipe, {}
    if not recipe.averaging.wise_ft:
        return {}
    if recipe.evaluation.robustness:
        rows[CORRUPTED] = _corrupted(prepared)
    if "target" in prepared.encoded:
        rows["target"] = _target(prepared)
    return rows


def oracle(prepared: Prepared) -> LabeledRows | None:
    """Return the rows of the target that evaluations while training score, too.

    At most 1,000; None where the recipe does not ask for it.
    """
    return _target(prepared) if prepared.recipe.evaluation.target_oracle else None


def _target(prepared: Prepared) -> LabeledRows:
    """Draw rows of the target."""
    targets = prepared.targets["target"]
    drawn = draw_rows(len(targets), prepared.recipe.seed)
    return LabeledRows(
        RowSubset(prepared.encoded["target"], drawn), [targets[row] for row in drawn]
    )


def _corrupted(prepared: Prepared) -> LabeledRows:
    """Corrupt rows of validation: with one pass for all kinds, instead of one for each."""
    recipe, validation = prepared.recipe, prepared.data.validation
    task, processor, labels = recipe.task, prepared.checkpoint.processor, prepared.data.labels
    drawn = draw_rows(len(validation), recipe.seed)
    family = corruptions.of_modality(task.modality)
    contents = family.read(validation, drawn.tolist(), processor)
    for number, kind in enumerate(family.kinds):
        turn = slice(number, None, len(family.kinds))
        contents[turn] = family.corrupt(contents[turn], kind, SEVERITY, recipe.seed)
    raw = family.write(validation.select(drawn), contents)
    with cache.paused():
        encoded = task.encode(raw, processor, labels)
    return LabeledRows(encoded, task.targets(raw, encoded, labels))
