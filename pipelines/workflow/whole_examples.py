"""Images or sounds of a few rows of a table -> files, which `graft demo` shows as examples."""

import io
from typing import TYPE_CHECKING, Any

from pipelines.report import whole_files
from pipelines.report.run_folder import RunFolder

if TYPE_CHECKING:
    from datasets import Dataset


def save(folder: RunFolder, split: str, dataset: "Dataset", modality: str) -> None:
    """Save what the bytes of a few rows hold, as they are; nothing of rows that are files.

    Args:
        modality: "image" or "audio".
    """
    files = _encoded(dataset, modality)
    saved = 0
    for row in map(int, whole_files.order(len(files))):
        content = (files[row][modality] or {}).get("bytes")
        if content is not None and len(content) <= whole_files.MAX_BYTES:
            suffix = _suffix(content, modality)
            whole_files.path_of(folder, split, row, suffix).write_bytes(content)
            saved += 1
        if saved == whole_files.NUM_EXAMPLES:
            break


def _encoded(dataset: "Dataset", modality: str) -> Any:
    if modality == "audio":
        return dataset
    from pipelines.tasks.image.files import ImageFiles

    return ImageFiles(dataset).raw


def _suffix(content: bytes, modality: str) -> str:
    """Return what ends the name of such a file: browsers go by it."""
    if modality == "audio":
        import soundfile

        kind = str(soundfile.info(io.BytesIO(content)).format).lower()
        return {"wavex": ".wav"}.get(kind, f".{kind}")
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        return f".{str(image.format).lower()}"
