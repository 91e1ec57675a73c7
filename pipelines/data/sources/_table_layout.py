"""Where the tables of each split are in a folder: the layouts of `datasets` and of the Hub."""

import json
import re
from collections import defaultdict
from collections.abc import Container
from pathlib import Path

from pipelines.core.errors import DataError
from pipelines.data.sources._dialect import kind, stem
from pipelines.data.sources._media_layout import SPLIT_NAMES, usual_split
from pipelines.data.sources._named_tables import is_table, named_tables
from pipelines.data.sources._tables import SUFFIXES
from pipelines.data.sources._text_form import LINES
from pipelines.data.split_names import SplitNames

# files that `datasets` and the Hub put beside the data
NOT_SPLITS = {"dataset_info", "dataset_infos", "dataset_dict", "metadata", "state"}
SHARD = re.compile(r"(?P<split>.+)-\d{5}-of-(?P<num_shards>\d{5})")
SAVED_STATE, SAVED_SPLITS = "state.json", "dataset_dict.json"  # what `save_to_disk` writes


def find_tables(root: Path, requested: SplitNames) -> dict[str, list[Path]]:
    """Map each split to its file or shards.

    Args:
        root: a file, or a folder.
        requested: names of splits in the recipe; what names tables in the folder is a split of
            these files.

    Raises:
        DataError: no table, a file that is not there or in two splits, two versions of a split, or
            missing shards.
    """
    folder = root if root.is_dir() else root.parent
    named, names = named_tables(folder, requested), {*requested.names.values()}
    if root.is_dir() and named:
        # whatever else lies beside them has another purpose
        return {**_by_name(root, names, SPLIT_NAMES), **named}
    if root.is_dir():
        return _saved(root) or _by_name(root, names) or _by_folder(root) or _below_data(root, names)
    if not is_table(root):
        known = ", ".join(SUFFIXES)
        raise DataError(f"data.path: {root}: not a table that can be read; known: {known}")
    return {"train": [root], **named}


def find_lines(root: Path) -> dict[str, list[Path]]:
    """Map each split to `<split>.txt`, which beside images is a list of them and no split."""
    files = [file for file in sorted(root.iterdir()) if kind(file) == LINES]
    splits = {usual_split(stem(file)): [file] for file in files}
    return {split: files for split, files in splits.items() if split in SPLIT_NAMES}


def _is_obvious_table(file: Path) -> bool:
    """Return whether a file that nobody names is a table: README.txt is none."""
    return is_table(file) and kind(file) != LINES


def _by_name(
    root: Path, requested: Container[str], wanted: Container[str] | None = None
) -> dict[str, list[Path]]:
    """Find `<split>.csv`, or shards of it; of the wanted splits alone, or of any name."""
    tables = defaultdict(list)
    for file in sorted(root.iterdir()):
        shard = SHARD.fullmatch(stem(file))
        name = shard["split"] if shard else stem(file)
        split = name if name in requested else usual_split(name)
        if wanted is not None and split not in wanted:
            continue
        if _is_obvious_table(file) and not split.startswith(".") and split not in NOT_SPLITS:
            tables[split].append(file)
    for split, files in tables.items():
        _check_complete(split, files)
    return dict(tables)


def _by_folder(root: Path) -> dict[str, list[Path]]:
    """Find `<split>/part-0.csv`: every table in a folder named after a split is part of it."""
    tables = defaultdict(list)
    for file in sorted(root.glob("*/*")):
        split = usual_split(file.parent.name)
        hidden = file.name.startswith(".") or stem(file) in NOT_SPLITS
        if split in SPLIT_NAMES and _is_obvious_table(file) and not hidden:
            tables[split].append(file)
    return dict(tables)


def _below_data(root: Path, requested: Container[str]) -> dict[str, list[Path]]:
    """Find `data/<split>-00000-of-00001.parquet` in a clone of a Hub repository."""
    data = root / "data"
    return (_by_name(data, requested) or _by_folder(data)) if data.is_dir() else {}


def _saved(root: Path) -> dict[str, list[Path]]:
    """Find what `save_to_disk` wrote of a data set, or of several splits."""
    try:
        if (root / SAVED_SPLITS).is_file():
            names = json.loads((root / SAVED_SPLITS).read_text(encoding="utf-8"))["splits"]
            return {name: _saved_files(root / name) for name in names}
        return {"train": _saved_files(root)} if (root / SAVED_STATE).is_file() else {}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"{root}: damaged, as saved by save_to_disk: {error!r}") from error


def _saved_files(folder: Path) -> list[Path]:
    state = json.loads((folder / SAVED_STATE).read_text(encoding="utf-8"))
    return [folder / Path(file["filename"]).name for file in state["_data_files"]]


def _check_complete(split: str, files: list[Path]) -> None:
    """Refuse two versions of a split (`train.csv`, `train.parquet`) and missing shards."""
    # without a shard the data set is only smaller: nothing later would notice
    totals = {shard["num_shards"] for file in files if (shard := SHARD.fullmatch(stem(file)))}
    expected = int(totals.pop()) if len(totals) == 1 else 1
    if len(files) != expected or totals:
        names = ", ".join(file.name for file in files)
        one = "one file" if expected == 1 else f"{expected} shards"
        raise DataError(f"{files[0].parent}: split '{split}': expected {one}; found {names}")
