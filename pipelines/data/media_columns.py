"""Columns of images or sounds in any form that tables have -> rows that the tasks decode.

paths                      relative to the folder of the table, or absolute
bytes, {bytes, path}       encoded files, as the Hub and pandas write them
{array, sampling_rate}     samples between -1 and 1, or integers of 16 bits
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.errors import DataError
from pipelines.core.upstream import dataset_fingerprint
from pipelines.data.sources._content import read_digests
from pipelines.data.sources._media_files import SUFFIXES
from pipelines.tasks.audio import files as sound_files

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.dataset import Note

KINDS = ("image", "audio")  # modalities, and the roles of their columns
MAX_INT16 = 2**15
MAX_SHOWN = 80  # characters of a value or a type, in messages
MAX_PROBED_PATHS = 10  # some of which may lead to nothing


def feature(kind: str) -> Any:
    """Return the feature of `datasets` for a column of images or sounds, which `tasks` decode."""
    from datasets import Audio, Image

    return Image() if kind == "image" else Audio(decode=False)


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
        return _from_paths(dataset, kind, dataset[kind][:], folder, split, note)
    if (isinstance(form, Value) and "binary" in form.dtype) or "bytes" in keys:
        if alone := paths(dataset, kind):
            return _from_paths(dataset, kind, alone, folder, split, note)
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


def with_files(dataset: "Dataset", kind: str, files: Sequence[Path | None]) -> "Dataset":
    """Add the column `kind`, or replace it, by one that names a file for each row.

    A file that is not there is a row that cannot be read, and no error here.
    """
    import pyarrow as pa
    from datasets import Dataset, Features
    from datasets.fingerprint import Hasher

    absolute = [file.absolute() if file else None for file in files]
    media = [{"bytes": None, "path": str(file)} if file else None for file in absolute]
    # caches are keyed by this; paths, sizes and times would hide that a file was replaced
    readable = {f for f in absolute if f and f.is_file() and os.access(f, os.R_OK)}
    digests = read_digests(readable)
    contents = [(str(file), digests.get(file)) if file else None for file in absolute]
    key = Hasher.hash([dataset_fingerprint(dataset), contents])
    if dataset.column_names == [kind]:  # nothing is left that a column could be added to
        schema = Features({kind: feature(kind)}).arrow_schema
        return Dataset(
            pa.Table.from_pylist([{kind: file} for file in media], schema), fingerprint=key
        )
    others = dataset.remove_columns([kind]) if kind in dataset.column_names else dataset
    return others.add_column(kind, media, new_fingerprint=key, feature=feature(kind))


def paths(dataset: "Dataset", column: str, num_rows: int | None = None) -> list[str | None]:
    """Return a column of paths, or of {bytes, path} without bytes; [] for any other."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = dataset.select_columns([column]).with_format("arrow")[:num_rows][column]
    if pa.types.is_struct(values.type) and {"bytes", "path"} <= {f.name for f in values.type}:
        if pc.count(pc.struct_field(values, "bytes")).as_py():
            return []
        values = pc.struct_field(values, "path")
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    result: list[str | None] = values.to_pylist() if is_text else []
    return result


def find_base(folder: Path, paths: Sequence[str | None], split: str) -> Path:
    """Find the folder that paths are relative to: that of the table, or the only one below it.

    Of several, the one named after the split.

    Raises:
        DataError: none of the first MAX_PROBED_PATHS is in any of them, or in several.
    """
    probed = [path for path in paths if path][:MAX_PROBED_PATHS]

    def holds(base: Path) -> bool:
        """Return whether one of the paths leads somewhere from here."""
        return any((base / path).exists() for path in probed)

    if holds(folder):
        return folder
    below = [Path(parent) for parent, _, _ in os.walk(folder)] if folder.is_dir() else []
    holding = list(filter(holds, below))
    named = [base for base in holding if base.name == split]
    if len(named or holding) == 1:
        return (named or holding)[0]
    several = f", but in {' and '.join(map(str, holding[:2]))}" if holding else ""
    raise DataError(f"no such file in {folder}{several}")


def _from_paths(
    dataset: "Dataset",
    kind: str,
    paths: Sequence[str | None],
    folder: Path | None,
    split: str,
    note: "Note",
) -> "Dataset":
    first = next((path for path in paths if path), "")
    try:
        base = find_base(folder, paths, split) if folder else Path()
    except DataError as error:
        raise _no_file(kind, split, first, str(error)) from error
    files = [base / path if path else None for path in paths]
    if not any(file and file.exists() for file in files):
        raise _no_file(kind, split, first, "no such file on this machine")
    if not Path(first).is_absolute():
        note(f"{split}: the {kind} column holds paths, relative to {base}")
    return with_files(dataset, kind, files)


def _no_file(kind: str, split: str, path: str, reason: str) -> DataError:
    return DataError(
        f"{split}: the {kind} column holds {path[:MAX_SHOWN]!r}: {reason}; expected paths, "
        f"relative to the table, or name another column: data.columns.{kind}=…"
    )


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
