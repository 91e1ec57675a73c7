"""Encoded rows, kept on disk: the second run of a recipe starts without encoding again."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import registry
from pipelines.tasks.encoding.columns import Columns

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

    from pipelines.tasks import Task

TASKS = Path(__file__).parent.parent  # all code that encodes
PACKAGES = ("datasets", "pillow", "soundfile", "soxr", "tokenizers", "torchvision", "transformers")


def encode_rows(
    task: "Task",
    dataset: "Dataset",
    encode: Callable[[dict[str, list[Any]]], dict[str, list[Any]]],
    *reads: Any,
) -> "Columns | IterableDataset":
    """`dataset.map(encode)` in batches, found again in the cache of `datasets`; a stream is mapped
    as it flows.

    What it is found by is made of the rows, the options and the code of `task`, and `reads`:
    everything else that `encode` looks at (tokenizer, labels…). `datasets` would hash `encode`
    itself, which sees neither the code that it calls nor the versions of the packages.
    """
    from datasets import Dataset

    options: dict[str, Any] = {"batched": True, "remove_columns": dataset.column_names}
    if not isinstance(dataset, Dataset):
        return dataset.map(encode, **options)
    key = fingerprint(task.model_dump(), dataset._fingerprint, encode.__qualname__, *reads)
    return Columns(dataset.map(encode, **options, new_fingerprint=key, desc="encoding"))


def fingerprint(*reads: Any) -> str:
    """16 hexadecimal digits: the same in every process while `reads` and the code are the same."""
    from datasets.fingerprint import Hasher

    return Hasher.hash([_code(), *reads])


@cache
def _code() -> tuple[str, ...]:
    """The sources of all tasks, and the versions of what they call."""
    from importlib.metadata import version

    sources = registry.source_files(TASKS, "**/*.py")
    texts = (file.read_text(encoding="utf-8") for file in sources)
    return (*texts, *(f"{package} {version(package)}" for package in PACKAGES))
