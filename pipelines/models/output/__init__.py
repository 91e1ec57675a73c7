"""What comes out: a standard checkpoint, in one of three forms, that loads without our code.

plain.py      an ordinary `AutoModelFor…`
sentence.py   a sentence-transformers folder, for a head that the plain class cannot express
adapter.py    a peft folder: what was learned, without the checkpoint it was learned on
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.core.labels import Labels
    from pipelines.models.forward import Read
    from pipelines.models.quantization import Bits
    from pipelines.tasks import ModelOutputs, Task

Library = Literal["transformers", "sentence-transformers", "peft"]


class Output(Protocol):
    """A trained model of any form."""

    library: ClassVar[Library]

    @property
    def model(self) -> Any:
        """The module that holds the weights."""

    def run(self, rows: Any, collate: Any, read: "Read", **options: Any) -> "ModelOutputs":
        """What `read` keeps of a pass over encoded rows."""

    def with_temperature(self, temperature: float, batch: Any) -> "Output | None":
        """The same, with logits that are divided by `temperature` in its own weights; None where
        no weights can do that, which is tried on `batch`."""

    def save(self, folder: Path, processor: Any) -> None:
        """Write a folder that the library's `from_pretrained` or constructor loads."""


def reload(
    folder: Path,
    library: str,
    task: "Task",
    labels: "Labels",
    quantization: "Bits | None" = None,
    **options: Any,
) -> Callable[["Dataset"], "ModelOutputs"]:
    """Load a saved folder by its library alone; gives back raw rows -> what the task reads."""
    if library == "sentence-transformers":
        from pipelines.models.output import sentence

        return sentence.reload(folder)
    import torch
    import transformers

    from pipelines.models import forward
    from pipelines.models.output import adapter_folder

    auto = getattr(transformers, task.auto_class)
    if library == "peft":
        model = adapter_folder.read(folder, auto, quantization)
    else:
        model = auto.from_pretrained(folder, dtype=torch.float32)
    processor = task.load_processor(str(folder), labels)

    def predict(rows: "Dataset") -> "ModelOutputs":
        encoded = task.encode(rows, processor, labels)
        return forward.run(model, encoded, task.collator(processor), task.collect, **options)

    return predict
