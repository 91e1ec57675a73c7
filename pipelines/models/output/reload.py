"""Predictions of a saved folder, made by its library alone."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.core.labels import Labels
    from pipelines.models.quantization import Bits
    from pipelines.tasks import ModelOutputs, Task


def reload(
    folder: Path,
    library: str,
    task: "Task",
    labels: "Labels",
    quantization: "Bits | None" = None,
    **options: Any,
) -> Callable[["Dataset"], "ModelOutputs"]:
    """Load a saved folder as its users will.

    Args:
        library: "transformers", "sentence-transformers" or "peft".
        quantization: bits of the checkpoint below an adapter; None for float32.
        options: of `forward.iter_batches`.

    Returns:
        A function from raw rows to the outputs that `task` predicts from.
    """
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
        # whatever the config names: parity is measured in float32
        model = auto.from_pretrained(folder, dtype=torch.float32)
    processor = task.load_processor(str(folder), labels)

    def predict(rows: "Dataset") -> "ModelOutputs":
        # from raw rows, since the saved processor is a part of what is checked
        encoded = task.encode(rows, processor, labels)
        return forward.run(model, encoded, task.collator(processor), task.collect, **options)

    return predict
