"""`run.predict` and `graft.predict`: from Python's objects to a table of pandas."""

from typing import TYPE_CHECKING, Any

from pipelines.core import startup
from pipelines.core.console import say, warn
from pipelines.recipe.overrides import Overrides
from pipelines.workflow.inference import given as inputs_given
from pipelines.workflow.inference.answered_rows import Tally
from pipelines.workflow.inference.answers import Wanted
from pipelines.workflow.inference.predict import predict_chunks

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from pipelines.workflow.inference.predictor import Predictor


def predict(
    predictor: "Predictor",
    given: Any,
    *,
    top_k: int = 0,
    split: str | None = None,
    batch_size: int = 64,
    overrides: Overrides = None,
) -> "pd.DataFrame":
    """Predict rows; the index of the table is their number in `given`.

    Raises:
        GraftError: the inputs cannot be read, or all rows are bad.
    """
    import pandas as pd

    startup.initialize({})
    inputs = inputs_given.read(given, predictor, say, overrides=overrides, split=split)
    tally, frames, done = Tally(len(inputs)), [], 0
    wanted = Wanted(top_k, predictor.set_threshold)
    for chunk in predict_chunks(predictor, inputs, wanted, batch_size=batch_size):
        tally.add(chunk)
        numbers = pd.RangeIndex(done, tally.done).difference(chunk.bad["row"].to_pylist())
        if len(chunk.table):
            frames.append(_frame(chunk.table).set_axis(numbers))
        done = tally.done
    tally.check()
    if tally.num_bad:
        warn(f"{tally}; they are left out of the table")
    return pd.concat(frames)


def _frame(table: "pa.Table") -> "pd.DataFrame":
    """Convert a table; lists stay lists, which pandas would make arrays of."""
    import pyarrow as pa

    frame = table.to_pandas()
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_list(column.type):
            frame[name] = column.to_pylist()
    return frame
