"""data.json: what was decided and found out about the data."""

from typing import TYPE_CHECKING

from pipelines.report import strict_json
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing

if TYPE_CHECKING:
    from pipelines.data.dataset import Data
    from pipelines.data.findings import Findings


def write(folder: RunFolder, data: "Data", findings: "Findings") -> None:
    """Write the statistics of the splits, the notes on them, and the rows that were left out.

    Columns and labels stand there, too, so that new data can be read, and predictions be named, as
    training did.

    Raises:
        RunError: the folder cannot be written.
    """
    left_out = [
        {"split": bad.split, "row": bad.row, "reason": bad.reason}
        | ({"source": bad.source} if bad.source else {})
        for bad in data.left_out
    ]
    labels = {"problem_type": data.labels.problem_type, "names": data.labels.names}
    content = {
        "columns": data.columns,
        "labels": labels,
        **findings.json(),
        "notes": data.notes,
        "left_out": left_out,
    }
    with writing(folder.path):
        strict_json.write(folder.data, content)
