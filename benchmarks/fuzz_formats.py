"""The bytes of a table: formats, dialects, encodings, archives, and damage."""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

Rows = list[dict[str, Any]]
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "utf-32")
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
SUFFIXES = (".csv", ".csv", ".tsv", ".jsonl", ".json", ".parquet", ".arrow", ".txt", ".conll")


def written(random: Random, suffix: str, rows: Rows) -> bytes:
    """Write rows in the format of a suffix; another format now and then."""
    kind = random.choice(SUFFIXES) if random.random() < 0.05 else suffix
    if kind in (".csv", ".tsv"):
        return _delimited(random, rows, "\t" if kind == ".tsv" else random.choice(",,,,;\t|:"))
    if kind in (".jsonl", ".json"):
        return _json(random, rows, lines=kind == ".jsonl" or random.random() < 0.3)
    if kind in (".parquet", ".arrow"):
        return _columnar(rows, kind)
    lines = [" ".join(str(value) for value in row.values()) for row in rows]
    text = (
        "\n".join(lines) if kind == ".txt" else "\n".join(line.replace(" ", "\n") for line in lines)
    )
    return _encoded(random, text)


def _delimited(random: Random, rows: Rows, separator: str) -> bytes:
    names = list(rows[0]) if rows else ["text", "label"]
    file = io.StringIO(newline="")
    quoting = random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    end = random.choice(("\n", "\n", "\r\n", "\r"))
    writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=end)
    if random.random() < 0.9:
        writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name, "")) for name in names])
    return _encoded(
        random, random.choice(("", "", "", "sep=;\n", "# note\n", "\n")) + file.getvalue()
    )


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _json(random: Random, rows: Rows, *, lines: bool) -> bytes:
    escaped = random.random() < 0.5
    if lines:
        return _encoded(random, "\n".join(json.dumps(row, ensure_ascii=escaped) for row in rows))
    columns = {name: [row.get(name) for row in rows] for name in (rows[0] if rows else ())}
    whole = random.choice((rows, rows, {"data": rows}, columns, {"version": 1, "data": [rows]}))
    return _encoded(random, json.dumps(whole, ensure_ascii=escaped))


def _columnar(rows: Rows, kind: str) -> bytes:
    """Write Parquet or Arrow; what their types cannot hold as text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        made = pa.Table.from_pylist(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        made = pa.Table.from_pylist([{k: ascii(v) for k, v in row.items()} for row in rows])
    file = io.BytesIO()
    if kind == ".parquet":
        pq.write_table(made, file)
        return file.getvalue()
    with pa.ipc.new_stream(file, made.schema) as writer:
        writer.write_table(made)
    return file.getvalue()


def _encoded(random: Random, text: str) -> bytes:
    encoding = random.choice(ENCODINGS) if random.random() < 0.4 else "utf-8"
    # half a character is what cut files hold
    return text.encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace")


def zipped(content: bytes, name: str) -> bytes:
    """Put a file into an archive of its own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def damaged(random: Random, content: bytes) -> bytes:
    """Cut, repeat, insert or change bytes."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        start = random.randrange(len(content) + 1)
        length = random.choice((1, 1, 2, 8, 64))
        part = content[start : start + length]
        noise = bytes(random.choice((0, 10, 13, 34, 44, 92, 123, 200, 255)) for _ in range(length))
        content = random.choice(
            (
                content[:start],
                content[:start] + noise + content[start:],
                content[:start] + noise + content[start + length :],
                content[:start] + content[start + length :],
                content[:start] + part * 3 + content[start:],
                content[start:],
            )
        )
    return content
