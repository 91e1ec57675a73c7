"""What lies in the model's folder, loaded by its library alone, beside what was trained."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.models.output.reload import reload
from pipelines.report import parity, printed_lines
from pipelines.report.evidence import Evidence
from pipelines.training import arguments as training_arguments
from pipelines.training.parallel_rows import select
from pipelines.training.row_subset import examples_of
from pipelines.workflow.prepared import Prepared

if TYPE_CHECKING:
    from pipelines.tasks import ModelOutputs
    from pipelines.training.fitted import Fitted


def with_parity(prepared: Prepared, fitted: "Fitted", evidence: Evidence, folder: Path) -> Evidence:
    """Add the parity of what lies in `folder`, loaded by its library alone, here and elsewhere."""
    options = training_arguments.forward_options(prepared.arguments())
    task, labels, bits = evidence.task, evidence.labels, evidence.quantization
    trusts_code = prepared.recipe.model.trust_remote_code
    reloaded = reload(
        folder, evidence.library, task, labels, bits, trusts_code=trusts_code, **options
    )
    # on validation, whose predictions are at hand: test is read once
    trained = evidence.predictions["validation"].outputs
    if fitted.out_of_fold is not None:  # those are of other heads than the one that was saved
        trained = _first_outputs(prepared, fitted, parity.NUM_EXAMPLES)
    rows = prepared.data.validation
    evidence = replace(evidence, parity=parity.compare(reloaded, rows, trained))
    if not prepared.recipe.printed_lines:
        return evidence
    return replace(evidence, printed=printed_lines.check(evidence, folder, rows, reloaded))


def _first_outputs(prepared: Prepared, fitted: "Fitted", num_examples: int) -> "ModelOutputs":
    """Run the model over the first examples of validation."""
    rows = prepared.rows("validation")
    first = select(rows, np.flatnonzero(examples_of(rows) < num_examples))
    options = training_arguments.forward_options(prepared.arguments())
    return fitted.output.run(first, prepared.collate, prepared.recipe.task.collect, **options)
