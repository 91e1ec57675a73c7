"""Columns of images or sounds in any form that tables have -> rows that the tasks decode.

paths                      relative to the folder of the table, or absolute
bytes, {bytes, path}       encoded files, as the Hub and pandas write them
{array, sampling_rate}     samples between -1 and 1, or integers of 16 bits
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.errors import DataError
from pipelines.data.media_paths import MAX_SHOWN, feature, from_paths, paths
from pipelines.data.sources._media_files import SUFFIXES
from pipelines.tasks.audio import files as sound_files

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.dataset import Note

KINDS = ("image", "audio")  # modalities, and the roles of their columns
MAX_INT16 = 2**15


def read(dataset: "Dataset", kind: str, folder: Path | None, split: str, note: "Note") -> "Dataset":
    """Turn the column `kind`, "image" or "audio", into one of encoded files.

    Args:
        folder: what paths are relative to; None where there are no files.
        note: is called with what was inferred.

    Raises:
        DataError: it holds something else, or paths that all lead to nothing.
    """
    from datasets import Audio, Image, Value

    form = dataset.features[kind]
    if isinstance(form, Image | Audio):
        return dataset
    keys = {*form} if isinstance(form, dict) else set()
    if isinstance(form, Value) and "string" in form.dtype:
        return from_paths(dataset, kind, dataset[kind][:], folder, split, note)
    if (isinstance(form, Value) and "binary" in form.dtype) or "bytes" in keys:
        if alone := paths(dataset, kind):
            return from_paths(dataset, kind, alone, folder, split, note)
        return dataset.cast_column(kind, feature(kind))
    if kind == "audio" and keys >= {"array", "sampling_rate"}:
        return _from_samples(dataset)
    raise DataError(
        f"{split}: the {kind} column holds {str(form)[:MAX_SHOWN]}; expected paths, bytes, "
        f"{{bytes, path}}{' or {array, sampling_rate}' if kind == 'audio' else ''}; name another "
        f"column: data.columns.{kind}=…"
    )


def columns_of(dataset: "Dataset", kind: str) -> list[str]:
    """List the columns that hold an "image" or "audio", by their type and first value."""
    # taken once: `features` copies all of them at each call
    features = dataset.features.items()
    return [name for name, form in features if _kind_of(dataset, name, form) == kind]


def _kind_of(dataset: "Dataset", column: str, form: Any) -> str | None:
    from datasets import Audio, Image, Value

    if isinstance(form, Image | Audio):
        return "image" if isinstance(form, Image) else "audio"
    keys = {*form} if isinstance(form, dict) else set()
    if keys >= {"array", "sampling_rate"}:
        return "audio"
    has_bytes = isinstance(form, Value) and "binary" in form.dtype
    if not (has_bytes or "path" in keys or (isinstance(form, Value) and "string" in form.dtype)):
        return None
    first: Any = next((value for value in dataset[column] if value), {} if keys else "")
    path, content = (first.get("path"), first.get("bytes")) if keys else (first, None)
    if has_bytes or content:
        return "audio" if sound_files.problem({"bytes": content or first}) is None else "image"
    suffix = Path(path or "").suffix.lower()
    return next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), None)


def _from_samples(dataset: "Dataset") -> "Dataset":
    """Encode arrays of samples as WAV files in memory, which all else reads."""
    from datasets import Audio, Features

    features = Features({**dataset.features, "audio": Audio(decode=False)})
    return dataset.map(_encode_samples, features=features, desc="encoding sounds")


def _encode_samples(row: dict[str, Any]) -> dict[str, Any]:
    import soundfile

    clip = row["audio"]
    if clip is None or clip["array"] is None or not clip["sampling_rate"]:
        return {"audio": None}
    samples = np.asarray(clip["array"])
    if samples.dtype.kind in "iu":
        samples = samples / MAX_INT16
    if samples.ndim == 2 and samples.shape[0] < samples.shape[1]:
        samples = samples.T  # soundfile has the channels last
    file = io.BytesIO()
    rate = round(clip["sampling_rate"])
    soundfile.write(file, samples.astype(np.float32), rate, format="WAV", subtype="FLOAT")
    return {"audio": {"bytes": file.getvalue(), "path": None}}
