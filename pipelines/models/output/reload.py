"""Predictions of a saved folder, made by its library alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError
from pipelines.core.hub_client import first_line
from pipelines.models.output import sentence_pair, side_by_side

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.core.labels import Labels
    from pipelines.models.output import Library
    from pipelines.models.quantization import Bits
    from pipelines.tasks import ModelOutputs, Task


@dataclass(frozen=True)
class LoadedModel:
    """A model that predicts from raw rows, and the processor that encodes them."""

    model: Any
    processor: Any
    task: "Task"
    labels: "Labels"

    @classmethod
    def of(
        cls,
        folder: Path,
        library: "Library",
        task: "Task",
        labels: "Labels",
        quantization: "Bits | None" = None,
        *,
        trusts_code: bool = False,
    ) -> "LoadedModel":
        """Load a saved folder of transformers or peft.

        Args:
            quantization: bits of the checkpoint below an adapter; None for float32.
            trusts_code: run Python code that came with the checkpoint; else it is an error.
        """
        import torch
        import transformers

        from pipelines.models.output import adapter_folder

        auto = getattr(transformers, task.auto_class)
        if library == "peft":
            model = adapter_folder.read(folder, auto, quantization, trusts_code=trusts_code)
        else:
            # whatever the config names: parity is measured in float32
            model = auto.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=trusts_code,
            )
        processor = task.load_processor(str(folder), labels, trust_remote_code=trusts_code)
        return cls(model, processor, task, labels)

    def run(self, rows: "Dataset", **options: Any) -> "tuple[Any, ModelOutputs]":
        """Encode raw rows, and pass them through the model.

        Args:
            options: of `forward.iter_batches`.

        Returns:
            (the encoded rows, the outputs that the task predicts from).
        """
        from pipelines.models import forward

        task = self.task
        encoded = task.encode(rows, self.processor, self.labels)
        collate = task.collator(self.processor)
        return encoded, forward.run(self.model, encoded, collate, task.collect, **options)


@contextmanager
def opening(folder: Path) -> Iterator[None]:
    """Turn what the libraries raise for a damaged folder into one message.

    Raises:
        ModelError: a file is missing or damaged, or holds code that is not trusted.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"{folder}: cannot be loaded: {first_line(error) or type(error).__name__}"
        ) from error


def library_of(folder: Path) -> "Library":
    """Return the library that loads a saved folder; `side-by-side` is a folder of several.

    Raises:
        ModelError: there is no such folder. Libraries would look for a Hub repository of that name.
    """
    if not folder.is_dir():
        raise ModelError(
            f"{folder}: there is no such folder, which held the model of the run; copy it back, or "
            "train the run again"
        )
    if (folder / side_by_side.FILE).is_file():
        return "side-by-side"
    if (folder / sentence_pair.FILE).is_file():
        return "sentence-pairs"
    if (folder / "modules.json").is_file():
        return "sentence-transformers"
    return "peft" if (folder / "adapter_config.json").is_file() else "transformers"


def reload(
    folder: Path,
    library: "Library",
    task: "Task",
    labels: "Labels",
    quantization: "Bits | None" = None,
    *,
    trusts_code: bool = False,
    **options: Any,
) -> Callable[["Dataset"], "ModelOutputs"]:
    """Load a saved folder as its users will.

    Args:
        quantization: bits of the checkpoint below an adapter; None for float32.
        trusts_code: run Python code that came with the checkpoint; else it is an error.
        options: of `forward.iter_batches`.

    Returns:
        A function from raw rows to the outputs that `task` predicts from.
    """
    if library == "sentence-transformers":
        from pipelines.models.output import sentence

        return sentence.reload(folder)
    if library == "sentence-pairs":
        return sentence_pair.reload(folder)
    if library == "side-by-side":
        return _reload_parts(folder, task, labels, trusts_code=trusts_code, **options)
    # from raw rows, since the saved processor is a part of what is checked
    loaded = LoadedModel.of(folder, library, task, labels, quantization, trusts_code=trusts_code)
    return lambda rows: loaded.run(rows, **options)[1]


def _reload_parts(
    folder: Path, task: "Task", labels: "Labels", **options: Any
) -> Callable[["Dataset"], "ModelOutputs"]:
    """Load all models of a folder; returns a function from raw rows to the sum of their logits."""
    names, bias = side_by_side.read(folder)
    parts = [reload(name, library_of(name), task, labels, **options) for name in names]

    def predict(rows: "Dataset") -> "ModelOutputs":
        return {"logits": side_by_side.total([part(rows)["logits"] for part in parts], bias)}

    return predict
