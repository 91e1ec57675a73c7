"""Finished runs on new labeled data, as JSON and as a folder of files.

evaluation.json        scores, intervals, classes, confusions, slices, differences
<n>-<run>.parquet      one row per example, as in the run's own `predictions`
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.errors import RunError
from pipelines.core.labels import Labels
from pipelines.evaluation.details import SplitDetails
from pipelines.evaluation.intervals import Interval
from pipelines.evaluation.slice_scores import SliceScores
from pipelines.report import evidence_file, example_table, strict_json
from pipelines.report.evidence import SplitPredictions
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import require_new, writing

if TYPE_CHECKING:
    from pipelines.data.rows import Rows

FILE = "evaluation.json"


@dataclass(frozen=True, eq=False)
class RunOnData:
    """A run on new data.

    Attributes:
        run: its folder.
        scores: of all rows, by the run's metrics.
        details: what stands behind them.
        slices: scores of parts of the rows.
        predictions, rows: each example; those of `rows.numbers`.
    """

    run: str
    labels: Labels
    scores: Mapping[str, float]
    details: SplitDetails
    slices: Sequence[SliceScores]
    predictions: SplitPredictions
    rows: "Rows"


@dataclass(frozen=True)
class ScoreDifference:
    """A score of a run minus that of the first one, on the same rows.

    Attributes:
        verdict: better or worse, if the interval leaves 0 out; else "no clear difference".
    """

    run: str
    minus: str
    metric: str
    difference: float
    interval: Interval | None
    verdict: str


@dataclass(frozen=True, eq=False)
class DataEvaluation:
    """Runs on new labeled data.

    Attributes:
        data: what was read.
        num_rows: how many rows were scored.
        left_out: number of a row that a model cannot take -> why.
        runs: at least one.
        differences: of each further run to the first.
    """

    data: str
    num_rows: int
    left_out: Mapping[int, str]
    main_metric: str
    runs: Sequence[RunOnData]
    differences: Sequence[ScoreDifference] = ()

    @property
    def scores(self) -> Mapping[str, float]:
        """The scores of the first run."""
        return self.runs[0].scores

    @property
    def intervals(self) -> Mapping[str, Interval]:
        """The intervals of the first run's scores."""
        return self.runs[0].details.intervals

    def json(self) -> dict[str, Any]:
        """Return all numbers as plain types."""
        content: dict[str, Any] = strict_json.plain(_content(self))
        return content


def _content(evaluation: DataEvaluation) -> dict[str, Any]:
    return {
        "data": evaluation.data,
        "rows": evaluation.num_rows,
        "left_out": [{"row": r, "reason": why} for r, why in evaluation.left_out.items()],
        "main_metric": evaluation.main_metric,
        "runs": [*map(_of_run, evaluation.runs)],
        "differences": [*map(asdict, evaluation.differences)],
    }


def _of_run(each: RunOnData) -> dict[str, Any]:
    content = evidence_file.as_json(each.details, each.labels)
    if "top_losses" in content:  # by their number in the data, from which rows may be left out
        content["top_losses"] = each.rows.numbers[np.array(content["top_losses"], int)]
    slices = [*map(asdict, each.slices)]
    return {"run": each.run, "scores": dict(each.scores), **content, "slices": slices}


def check(folder: Path) -> None:
    """Refuse a folder that holds something, or that belongs to a run, before models predict.

    Raises:
        RunError: it does.
    """
    try:
        run = RunFolder.of(folder.absolute())
    except RunError:
        run = None
    if run:
        raise RunError(f"{folder}: is in the run folder {run}, which stays as it is; name another")
    require_new(folder, "-o")


def write(evaluation: DataEvaluation, folder: Path) -> None:
    """Write the predictions of each run, and all numbers.

    Raises:
        RunError: the folder holds something already, or cannot be written.
    """
    check(folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number, each in enumerate(evaluation.runs, start=1):
            name = "_".join(Path(each.run).parts[-2:]).replace("/", "_")
            path = folder / f"{number}-{name}.parquet"
            example_table.write(path, each.predictions, each.labels, each.rows)
        # last: it marks the folder as whole
        strict_json.write(folder / FILE, evaluation.json(), indent=None)
