"""What goes into a task and comes out of it, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

# columns that usually hold the paths of images or sounds
FILES = ("file_name", "filename", "filepath", "file_path", "file", "path")

Batch = dict[str, Any]
Targets = Any  # a sequence or an array with one entry for each example
Predictions = Any  # the same; each task says in which form
# name -> one entry for each encoded row
ModelOutputs = Mapping[str, "Sequence[np.ndarray] | np.ndarray"]


@dataclass(frozen=True, eq=False)
class Measure:
    """A property of each example: a number, or a word such as an image's mode.

    Attributes:
        values: (examples,).
        limit: the largest number that the model reads; the rest of an example is cut off.
    """

    values: "np.ndarray"
    limit: float | None = None


@dataclass(frozen=True)
class ColumnLayout:
    """Columns that published data sets have beside each other, and that are read together.

    Attributes:
        columns: role -> column, or several that are merged into one.
        labels: names of the label that are usual beside them only.
    """

    columns: Mapping[str, str | tuple[str, ...]]
    labels: tuple[str, ...] = ()
