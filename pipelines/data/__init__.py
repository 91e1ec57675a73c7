"""A source and a task -> train, validation and test sets that can be learned from.

    1. source.load            all splits of the source         name -> Dataset, or a stream
    2. splits.assign          one for train, validation, test  split -> Dataset
    3. role_columns.select    columns named by their role      split -> Rows: text, label
    4. arrange                the form that the task reads     split -> Rows
    5. labeled_rows.select    rows without a label             DataError, or left out
    6. labeled_rows.infer     what there is to predict         Labels
    7. folds.count            folds in place of validation     int; 0: there is one
    8. splits.cut_from_train  validation out of train          split -> Rows
    9. splits.limit           as many as the recipe allows     split -> Rows
   10. bad_rows               rows that cannot be read         DataError, or left out
   11. drop_unsupported_rows  rows that the model cannot take  DataError, or left out

Nothing is decoded or copied before step 10, and images not before step 11, which waits for the
checkpoint: they are decoded once, into what it wants. `streams` reads the first rows of a streamed
train split, which go through all of this.
"""

from pipelines.data.dataset import Data
from pipelines.data.load import drop_unsupported_rows, load

__all__ = ["Data", "drop_unsupported_rows", "load"]
