"""A source and a task -> train, validation and test sets that can be learned from.

    1. source.load            all splits of the source         name -> Dataset, or a stream
    2. splits.assign          one for train, validation, test  split -> Dataset
    3. columns.select_roles   columns named by their role      Dataset: text, label
    4. bad_rows               rows without a label             DataError, or left out
    5. label_checks, labels   what there is to predict         Labels
    6. splits.cut_from_train  validation out of train          split -> Rows
    7. splits.limit           as many as the recipe allows     split -> Rows
    8. bad_rows               rows that cannot be read         DataError, or left out
    9. drop_unsupported_rows  rows that the model cannot take  DataError, or left out

Nothing is decoded or copied before step 8, and images not before step 9, which waits for the
checkpoint: they are decoded once, into what it wants. `streams` reads the first rows of a streamed
train split, which go through all of this.
"""

from pipelines.data.dataset import Data
from pipelines.data.load import drop_unsupported_rows, load

__all__ = ["Data", "drop_unsupported_rows", "load"]
