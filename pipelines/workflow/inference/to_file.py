"""`graft predict`: from words of the command line to a file, with what to know on stderr."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.core import startup
from pipelines.core.console import duration, shows_bars, warn
from pipelines.core.errors import RunError
from pipelines.core.regular_files import real_path
from pipelines.report.prediction_files import PredictionFile
from pipelines.workflow.inference import given as inputs_given
from pipelines.workflow.inference.answered_rows import AnsweredRows, Tally
from pipelines.workflow.inference.answers import Wanted
from pipelines.workflow.inference.checkpoint import open_model
from pipelines.workflow.inference.predict import predict_chunks


def predict(
    model: str,
    given: Sequence[str],
    output: Path | None,
    *,
    top_k: int = 0,
    split: str | None = None,
    batch_size: int = 64,
    overrides: Sequence[str] = (),
) -> None:
    """Predict `given` and write the rows to `output`, those that are bad to a file beside it.

    Args:
        output: None writes JSON Lines to standard output.

    Raises:
        GraftError: the model, the inputs or the output cannot be used, or all rows are bad.
    """
    bad_path = output and output.with_name(f"{output.stem}.bad{output.suffix}")
    _check_paths(given, output, bad_path)
    startup.initialize({})
    predictor = open_model(model)
    wanted = Wanted(top_k, predictor.set_threshold)
    wanted.check(predictor.task, predictor.labels)
    is_table = output is not None and output.suffix.lower() == ".csv"
    options: dict[str, Any] = {"overrides": overrides, "split": split, "spelled": is_table}
    inputs = inputs_given.read(given, predictor, warn, are_words=True, **options)
    tally, started = Tally(len(inputs)), time.monotonic()
    with PredictionFile(output) as rows, PredictionFile(bad_path) as bad:
        for chunk in predict_chunks(predictor, inputs, wanted, batch_size=batch_size):
            tally.add(chunk)
            _write(chunk, rows, bad)
            if tally.done < tally.total and not shows_bars():
                warn(f"{tally.done:,} of {tally.total:,} rows")
    tally.check()
    if tally.num_bad:
        warn(str(tally) + (f"; they are in {bad_path}" if bad_path else ""))
    elif bad_path:
        bad_path.unlink(missing_ok=True)  # of an earlier prediction
    if output:
        seconds = duration(time.monotonic() - started)
        warn(f"{output}: {tally.num_predicted:,} rows predicted in {seconds}")


def _check_paths(given: Sequence[str], output: Path | None, bad_path: Path | None) -> None:
    """Refuse to write over an input, or over a file that no prediction wrote."""
    inputs = {real_path(word) for word in given if word}
    for path in filter(None, (output, bad_path)):
        if real_path(path) in inputs:
            raise RunError(
                f"{path}: is the input, and would be written over; name another file: -o FILE"
            )
    # the two are written together
    if bad_path and output and bad_path.exists() and not output.exists():
        raise RunError(
            f"{bad_path}: exists, and is where rows go that cannot be predicted; move it, or name "
            "another file: -o FILE"
        )


def _write(chunk: AnsweredRows, rows: PredictionFile, bad: PredictionFile) -> None:
    if len(chunk.table):
        rows.write(chunk.table)
    if len(chunk.bad) and bad.path is not None:
        bad.write(chunk.bad)
