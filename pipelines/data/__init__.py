"""A source and a task -> train, validation and test sets that can be learned from.

    1. source.load            all splits of the source         name -> Dataset, or a stream
    2. splits.assign          one for train, validation, test  split -> Dataset
    3. role_columns.select    columns named by their role      split -> Rows: text, label
    4. arrange                the form that the task reads     split -> Rows
    5. labeled_rows.select    rows without a label             DataError, or left out
    6. labeled_rows.infer     what there is to predict         Labels
    7. samples.set_aside      test out of train                split -> Rows
    8. samples.limit_classes  so many rows of each class       split -> Rows
    9. folds.count            folds in place of validation     int; 0: there is one
   10. samples.set_aside      validation out of train          split -> Rows
   11. samples.limit          as many as the recipe allows     split -> Rows
   12. bad_rows               rows that cannot be read         DataError, or left out
   13. drop_unsupported_rows  rows that the model cannot take  DataError, or left out

`selection` has the steps 1 to 4, and of several sources `domains`, which unites what each has.
Nothing is decoded or copied before step 12, and images not before step 13, which waits for the
checkpoint: they are decoded once, into what it wants. `streams` reads the first rows of a streamed
train split, which go through all of this.
"""

from pipelines.data.dataset import Data
from pipelines.data.held_out import without_texts
from pipelines.data.load import load
from pipelines.data.sources._content import forget_digests
from pipelines.data.unsupported_rows import drop_unsupported_rows

__all__ = ["Data", "drop_unsupported_rows", "forget_digests", "load", "without_texts"]
