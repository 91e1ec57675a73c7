"""A column that names splits, in a table that is read as one: rows of test are trained on.

text,label,split
good,1,train
bad,0,test
"""

from typing import TYPE_CHECKING

from pipelines.core.errors import listed
from pipelines.data.merged_columns import TEXT_TYPES
from pipelines.data.usual_columns import Columns, names_in

if TYPE_CHECKING:
    from datasets import Dataset

COLUMNS = {"split", "splits", "set", "subset", "dataset", "partition", "fold", "usage"}
TRAIN = {"train", "training"}
OTHERS = {"test", "testing", "validation", "valid", "val", "dev", "eval", "holdout"}


def warning(train: "Dataset", columns: Columns) -> str:
    """Say that rows of several splits stand in train; empty where they do not.

    Args:
        columns: role -> column; one that has a role is no such column.
    """
    taken = names_in(columns)
    for name, feature in train.features.items():
        is_text = getattr(feature, "dtype", None) in TEXT_TYPES
        if name in taken or name.lower() not in COLUMNS or not is_text:
            continue
        values = sorted(value for value in train.unique(name) if value)
        words = {value.strip().lower() for value in values}
        if words & OTHERS and len(words) > 1 and words <= TRAIN | OTHERS:
            return (
                f"warning: column '{name}' names splits ({listed(values)}) and is not used: rows "
                "of all of them are trained on; write each split to a file of its own, and name "
                "the files: data.splits={train: train.csv, test: test.csv}"
            )
    return ""
