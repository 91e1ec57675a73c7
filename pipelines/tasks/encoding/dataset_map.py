"""Encode texts with `datasets.map`, whose cache spares the next run of a recipe the encoding."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import registry
from pipelines.core.upstream import dataset_fingerprint
from pipelines.tasks.encoding.columns import EncodedTexts

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

    from pipelines.tasks import Task

TASKS = Path(__file__).parent.parent  # the folder of all code that encodes
PACKAGES = ("datasets", "pillow", "soundfile", "soxr", "tokenizers", "torchvision", "transformers")


def encode_rows(
    task: "Task",
    dataset: "Dataset",
    encode: Callable[[dict[str, list[Any]]], dict[str, list[Any]]],
    *inputs: Any,
) -> "EncodedTexts | IterableDataset":
    """Apply `encode` to batches of examples, or load the result of an earlier run.

    `inputs` is everything else that `encode` depends on: tokenizer, labels… A stream is encoded
    while it is read.
    """
    from datasets import Dataset

    options: dict[str, Any] = {"batched": True, "remove_columns": dataset.column_names}
    if not isinstance(dataset, Dataset):
        return dataset.map(encode, **options)
    # `datasets` would hash `encode` alone, and miss changes of the code that it calls and of the
    # packages' versions
    key = fingerprint(task.model_dump(), dataset_fingerprint(dataset), encode.__qualname__, *inputs)
    return EncodedTexts(dataset.map(encode, **options, new_fingerprint=key, desc="encoding"))


def fingerprint(*inputs: Any) -> str:
    """Hash `inputs`, the source text of all tasks and the versions of the packages they call.

    Returns 16 hexadecimal digits, the same in every process.
    """
    from datasets.fingerprint import Hasher

    return Hasher.hash([_code(), *inputs])


@cache
def _code() -> tuple[str, ...]:
    """Return the source text of all tasks, and the versions of the packages they call."""
    from importlib.metadata import version

    sources = registry.source_files(TASKS, "**/*.py")
    # a file that is not UTF-8 concerns the recipes that name it, and no other
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in sources)
    return (*texts, *(f"{package} {version(package)}" for package in PACKAGES))
