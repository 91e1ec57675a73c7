"""What a model says about some rows, before it is written as columns."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.core.labels import Labels
    from pipelines.tasks import ModelOutputs, Task

# column -> one value for each row; typed, so that chunks of empty lists are like others
Answers: TypeAlias = "dict[str, pa.Array]"


@dataclass(frozen=True)
class Predicted:
    """What a model says about some rows.

    Attributes:
        outputs: of the model, one entry for each encoded row.
        encoded: the encoded rows; None in the form of sentence-transformers.
        processor: what encoded them.
    """

    task: "Task"
    outputs: "ModelOutputs"
    labels: "Labels"
    encoded: Any
    processor: Any

    @cached_property
    def predictions(self) -> Any:
        """One for each example, in the form of `Task.predict`."""
        return self.task.predict(self.outputs, self.encoded, self.processor, self.labels)
