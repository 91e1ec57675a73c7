"""Standard input -> texts in lines, or the columns of JSON Lines."""

import io
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any

from pipelines.core.console import printable
from pipelines.core.errors import DataError
from pipelines.data.dataset import Note

NAME = "standard input"
KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}
MAX_SHOWN = 60  # characters of a value

SEPARATORS = (",", ";", "\t", "|")  # of a table's columns

Placed = Sequence[tuple[str, Any]]  # where something stands, such as "line 3", and what it is


def read(note: Note, columns: Collection[str] = ()) -> list[str] | dict[str, list[Any]]:
    """Read texts, one in each line, or columns where the input is JSON.

    JSON is an object in each line, or one list of objects. Lines are objects where the first one
    is, or all begin like one. Blank lines are left out, as those of a text file are.

    Args:
        columns: those that the model reads, which the first line of a table would name.

    Raises:
        DataError: not UTF-8, no line, JSON that makes no table, or a table; names the line.
    """
    text = _decoded()
    if objects := _list_of_objects(text):
        return _columns(objects)
    # splitlines() would end a line inside of texts, too: at form feeds and U+2028
    lines = [line.rstrip("\n") for line in io.StringIO(text, newline=None)]
    rows = [(f"line {i}", line) for i, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise DataError(f"{NAME}: there are no rows to predict")
    if _is_json(rows):
        return _columns([(place, _object(place, line)) for place, line in rows])
    _check_lines(rows, columns)
    if num_blank := len(lines) - len(rows):
        note(f"{NAME}: {num_blank:,} blank line{'s' * (num_blank > 1)} left out")
    return [line for _, line in rows]


def _decoded() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{NAME}: not UTF-8 ({error}); give a file instead") from None


def _list_of_objects(text: str) -> Placed:
    """Return the objects of a JSON list, or an object of several lines; none if it is neither."""
    if not text.lstrip().startswith(("[", "{")):
        return []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return []
    return [(f"object {i}", each) for i, each in enumerate(value, start=1)]


def _is_json(rows: Placed) -> bool:
    if all(line.lstrip().startswith("{") for _, line in rows):
        return True
    try:
        return isinstance(json.loads(rows[0][1]), dict)
    except (ValueError, RecursionError):
        return False


def _check_lines(rows: Placed, columns: Collection[str]) -> None:
    """Refuse lines that are no texts, but the lines of a table, or parts of JSON.

    Raises:
        DataError: they are; says what to do.
    """
    place, first = rows[0]
    if first.strip() in ("[", "{", "[{"):
        raise DataError(
            f"{NAME}, {place}: JSON over several lines; expected an object in each line, as "
            "`jq -c` writes them, or one list of objects"
        )
    for separator in SEPARATORS:
        names = [name.strip().strip('"') for name in first.split(separator)]
        if len(names) > 1 and (named := {*columns}.intersection(names)):
            raise DataError(
                f"{NAME}, {place}: names the column '{min(named)}' as the header of a table does, "
                "and every line would be a text; give the table as a file"
            )


def _object(place: str, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{NAME}, {place}: not JSON ({error})") from None
    if not isinstance(value, dict):
        shown = printable(line, MAX_SHOWN)
        raise DataError(f'{NAME}, {place}: {shown}: expected an object such as {{"text": …}}')
    return value


def _columns(rows: Placed) -> dict[str, list[Any]]:
    """Turn rows into columns, each of one kind of values.

    Raises:
        DataError: a column has several kinds, which no table holds; names two rows.
    """
    columns: dict[str, list[Any]] = {}
    for name in dict.fromkeys(chain.from_iterable(row for _, row in rows)):
        values = {place: row.get(name) for place, row in rows}
        _check_kinds(name, values)
        columns[name] = [*values.values()]
    return columns


def _check_kinds(name: str, values: Mapping[str, Any]) -> None:
    kinds = {place: KINDS[type(v)] for place, v in values.items() if v is not None}
    first = next(iter(kinds), "")
    for place, kind in kinds.items():
        if kind != kinds[first]:
            shown = printable(json.dumps(values[place], ensure_ascii=False), MAX_SHOWN)
            raise DataError(
                f"{NAME}, {place}: {printable(name)} is {shown}, and {kinds[first]} in {first}; "
                "expected one kind of values in a column"
            )
