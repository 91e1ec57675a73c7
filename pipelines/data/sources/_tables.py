"""Table files of each split -> data sets, every file by itself, so that an error can name it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.data.sources import LoadedSplits, _dialect, _parquet
from pipelines.data.sources._content import read_digests
from pipelines.data.sources._delimited import TextTable
from pipelines.data.sources._dialect import kind
from pipelines.data.sources._joined_shards import join
from pipelines.data.sources._json_kinds import Kinds, merge_kinds, mixed
from pipelines.data.sources._json_rows import find_encoding
from pipelines.data.sources._json_table import JsonTable, split_schema
from pipelines.data.sources._plain_text import PlainText
from pipelines.data.sources._text_form import SUFFIXES as PLAIN
from pipelines.data.sources._text_form import Form, open_text
from pipelines.data.sources._text_kinds import TEXT as AS_SPELLED
from pipelines.data.sources._text_kinds import merge_kinds as merge_text_kinds

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, IterableDataset

DELIMITED = (".csv", ".tsv")
TEXT = (*DELIMITED, *PLAIN)
JSON = (".jsonl", ".json")
PARQUET = ".parquet"
ARROW = ".arrow"  # as `save_to_disk` writes it, and mapped into memory where it is
SUFFIXES = (PARQUET, *JSON, *DELIMITED, ARROW, *PLAIN)


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

    def read(self, tables: Mapping[str, list[Path]], spelled: Collection[str] = ()) -> LoadedSplits:
        """Read every split; types of columns agree between all text tables.

        Args:
            spelled: columns of csv and tsv that are texts, even where all of them are numbers.

        Raises:
            DataError: a file cannot be read.
        """
        whole = [file for split in tables if split != self.streamed for file in tables[split]]
        digests = read_digests(whole)
        files = [file for files in tables.values() for file in files if not _is_empty(file)]
        texts = {file: self._scan(file, digests) for file in files if kind(file) in TEXT}
        jsons = {file: self._scan_json(file, digests) for file in files if kind(file) in JSON}
        json_kinds = merge_kinds(table.kinds for table in jsons.values())
        text_kinds = merge_text_kinds(table.kinds for table in texts.values())
        text_kinds |= {name: AS_SPELLED for name in spelled if name in text_kinds}
        known = Known(digests, texts, text_kinds, jsons, json_kinds)
        splits: dict[str, Any] = {}
        unreadable = mixed(json_kinds)
        for split, files in tables.items():
            if split == self.streamed:
                splits[split] = _stream(files, known)
            else:
                schema = split_schema([jsons[file] for file in files if file in jsons], json_kinds)
                shards = {file: _read(file, known, schema) for file in files}
                splits[split] = join(shards, unreadable)
        notes = {file.name: table.note for file, table in {**texts, **jsons}.items()}
        shown = [f"{name}: {note}" for name, note in notes.items() if note]
        # a stream is read once, from its first row to its last
        read_again = None if self.streamed else partial(self.read, tables)
        return LoadedSplits(splits, shown, unreadable, read_again)

    def _scan(self, file: Path, digests: Mapping[Path, str]) -> TextTable | PlainText:
        if kind(file) in PLAIN:
            digest = digests.get(file, "")
            return open_text(file, digest, self.encoding, self.form, is_streamed=not digest)
        dialect = _dialect.detect(
            file,
            separator=self.separator,
            encoding=self.encoding,
            is_streamed=file not in digests,
        )
        scan = TextTable.scan if file in digests else TextTable.scan_head
        return scan(file, digests.get(file, ""), dialect)

    def _scan_json(self, file: Path, digests: Mapping[Path, str]) -> JsonTable:
        encoding = find_encoding(file, self.encoding, is_streamed=file not in digests)
        scan = JsonTable.scan if file in digests else JsonTable.scan_head
        table = scan(file, digests.get(file, ""), encoding)
        is_usual = self.encoding or encoding.startswith("utf-8")
        remark = "" if is_usual else f"text in {encoding} (data.encoding)"
        return replace(table, note=", ".join(filter(None, [table.note, remark])))


@dataclass(frozen=True)
class Known:
    """What is known of all files before any of them is read.

    Attributes:
        digests: of the files that are not streamed.
        text_kinds: what the columns of all text tables hold together.
        json_kinds: what the columns of all JSON tables hold together.
    """

    digests: Mapping[Path, str]
    texts: Mapping[Path, TextTable | PlainText]
    text_kinds: Mapping[str, str]
    jsons: Mapping[Path, JsonTable]
    json_kinds: Kinds


def _read(file: Path, known: Known, json_schema: "pa.Schema") -> "Dataset":
    from datasets import Dataset

    if _is_empty(file):
        return Dataset.from_dict({})
    if file in known.texts:
        return known.texts[file].read(known.text_kinds)
    if file in known.jsons:
        return known.jsons[file].read(json_schema, known.json_kinds)
    read = _parquet.map_arrow if kind(file) == ARROW else _parquet.read
    return read(file, known.digests[file])


def _stream(files: list[Path], known: Known) -> "IterableDataset":
    """Stream one split, from its first file to its last."""
    from datasets import Features, IterableDataset

    suffix, *others = sorted({kind(file) for file in files})
    if others:
        raise DataError(
            f"data.streaming: {files[0]}: files of one kind can be streamed together; got "
            f"{', '.join([suffix, *others])}"
        )
    if suffix == ARROW:
        raise DataError(f"{files[0]}: is mapped into memory, not streamed; remove data.streaming")
    if suffix == PARQUET:
        return _parquet.stream(files)
    if suffix in TEXT:
        texts = [known.texts[file] for file in files if file in known.texts]
        schema = texts[0].schema(known.text_kinds)
        parts = [partial(table.batches, known.text_kinds) for table in texts]
    else:
        jsons = [known.jsons[file] for file in files if file in known.jsons]
        schema = split_schema(jsons, known.json_kinds)
        parts = [partial(table.batches, schema, known.json_kinds) for table in jsons]
    features = Features.from_arrow_schema(schema)
    return IterableDataset.from_generator(_rows, features=features, gen_kwargs={"parts": parts})


def _rows(parts: "list[Callable[[], Iterator[pa.RecordBatch]]]") -> Iterator[dict[str, Any]]:
    for batches in parts:
        for batch in batches():
            yield from batch.to_pylist()


def _is_empty(file: Path) -> bool:
    return not file.stat().st_size
