"""Table files of each split -> data sets, every file by itself, so that an error can name it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.core.hub_client import first_line
from pipelines.data.sources import LoadedSplits, _dialect
from pipelines.data.sources._content import cache_folder, read_digests, with_fingerprint
from pipelines.data.sources._delimited import TextTable, merge_kinds
from pipelines.data.sources._dialect import kind
from pipelines.data.sources._plain_text import SUFFIXES as PLAIN
from pipelines.data.sources._plain_text import Form, PlainText, open_text

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

DELIMITED = (".csv", ".tsv")
# suffix -> the reader of `datasets`, which would call home through load_dataset
BUILDERS = {".parquet": "parquet", ".jsonl": "json", ".json": "json"}
ARROW = ".arrow"  # as `save_to_disk` writes it, and mapped into memory where it is
SUFFIXES = (*BUILDERS, *DELIMITED, ARROW, *PLAIN)


@dataclass(frozen=True)
class TableReader:
    """Reads tables as the recipe says.

    Attributes:
        separator: between the columns of csv and tsv; None to detect it.
        encoding: of text; None to detect it.
        streamed: the split that is streamed, if any.
        form: what the lines of plain text hold; None to detect it.
    """

    separator: str | None = None
    encoding: str | None = None
    streamed: str | None = None
    form: Form | None = None

    def read(self, tables: Mapping[str, list[Path]]) -> LoadedSplits:
        """Read every split; types of columns agree between all text tables.

        Raises:
            DataError: a file cannot be read.
        """
        whole = [file for split in tables if split != self.streamed for file in tables[split]]
        digests = read_digests(whole)
        notes: list[str] = []
        texts: dict[Path, TextTable | PlainText] = {}
        for file in [file for files in tables.values() for file in files]:
            if kind(file) in DELIMITED and not _is_empty(file):
                dialect = _dialect.detect(
                    file,
                    separator=self.separator,
                    encoding=self.encoding,
                    is_streamed=file not in digests,
                )
                notes += [f"{file.name}: {dialect.note}"] if dialect.note else []
                scan = TextTable.scan if file in digests else TextTable.scan_head
                texts[file] = scan(file, digests.get(file, ""), dialect)
            elif kind(file) in PLAIN:
                texts[file] = plain = self._plain(file, digests)
                notes.append(f"{file.name}: {plain.note}")
        kinds = merge_kinds(table.kinds for table in texts.values())
        splits: dict[str, Any] = {}
        unreadable: dict[str, str] = {}
        for split, files in tables.items():
            if split == self.streamed:
                splits[split] = _stream(files, texts, kinds)
            else:
                shards = {file: _read(file, digests, texts, kinds) for file in files}
                splits[split] = _join(shards, unreadable)
        return LoadedSplits(splits, notes, unreadable)

    def _plain(self, file: Path, digests: Mapping[Path, str]) -> PlainText:
        digest = digests.get(file, "")
        return open_text(file, digest, self.encoding, self.form, is_streamed=not digest)


def _read(
    file: Path,
    digests: Mapping[Path, str],
    texts: Mapping[Path, TextTable | PlainText],
    kinds: Mapping[str, str],
) -> "Dataset":
    from datasets import Dataset

    if _is_empty(file):
        return Dataset.from_dict({})
    if file in texts:
        return texts[file].read(kinds)
    digest = digests[file]
    if kind(file) == ARROW:
        return _map_arrow(file, digest)
    builder = BUILDERS[kind(file)]
    read = getattr(Dataset, f"from_{builder}")
    try:
        # the cache of `datasets` goes by path, size and time: a folder for each content
        dataset = read(str(file.absolute()), cache_dir=str(cache_folder(digest)))
    except Exception as error:  # pandas, pyarrow and the operating system raise their own
        cause: BaseException = error
        while cause.__cause__:  # `datasets` wraps the error that says what is wrong
            cause = cause.__cause__
        reason = first_line(cause)
        if "corresponds to no data" in reason:  # a table without rows
            return Dataset.from_dict({})
        raise DataError(f"{file}: cannot be read as {builder}: {reason}") from error
    return with_fingerprint(dataset, builder, digest)


def _map_arrow(file: Path, digest: str) -> "Dataset":
    from datasets import Dataset

    try:
        return with_fingerprint(Dataset.from_file(str(file)), "arrow", digest)
    except Exception as error:  # pyarrow and the operating system raise their own
        raise DataError(f"{file}: cannot be read as arrow: {first_line(error)}") from error


def _join(shards: "Mapping[Path, Dataset]", unreadable: dict[str, str]) -> "Dataset":
    """Concatenate shards; a column that differs between them is left out, and `unreadable`."""
    from datasets import concatenate_datasets

    # an empty shard has no columns to compare
    filled = {file: shard for file, shard in shards.items() if len(shard)}
    if len(filled) < 2:
        return next(iter(filled.values() or shards.values()))
    first_file, first = next(iter(filled.items()))
    common = dict(first.features)
    for file, shard in filled.items():
        for name in first.features.keys() | shard.features.keys():
            if first.features.get(name) != shard.features.get(name):
                common.pop(name, None)
                unreadable.setdefault(
                    name,
                    f"{file}: other columns or types than in {first_file.name}; give '{name}' one "
                    "type in all shards of a split",
                )
    if not common:
        raise DataError(next(iter(unreadable.values())))
    return concatenate_datasets([shard.select_columns(list(common)) for shard in filled.values()])


def _stream(
    files: list[Path], texts: Mapping[Path, TextTable | PlainText], kinds: Mapping[str, str]
) -> "IterableDataset":
    """Stream one split, from its first file to its last."""
    from datasets import Features, IterableDataset

    suffix, *others = sorted({kind(file) for file in files})
    if others:
        raise DataError(
            f"data.streaming: {files[0]}: files of one kind can be streamed together; got "
            f"{', '.join([suffix, *others])}"
        )
    if suffix in (*DELIMITED, *PLAIN):
        tables = [texts[file] for file in files if file in texts]
        features = Features.from_arrow_schema(tables[0].schema(kinds))
        return IterableDataset.from_generator(
            _rows, features=features, gen_kwargs={"tables": tables, "kinds": [kinds] * len(tables)}
        )
    if suffix == ARROW:
        raise DataError(f"{files[0]}: is mapped into memory, not streamed; remove data.streaming")
    read = getattr(IterableDataset, f"from_{BUILDERS[suffix]}")
    return read([str(file.absolute()) for file in files])


def _rows(
    tables: list[TextTable | PlainText], kinds: list[Mapping[str, str]]
) -> Iterator[dict[str, Any]]:
    for table, table_kinds in zip(tables, kinds, strict=True):
        for batch in table.batches(table_kinds):
            yield from batch.to_pylist()


def _is_empty(file: Path) -> bool:
    return not file.stat().st_size
