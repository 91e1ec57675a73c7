"""Standard input -> texts in lines, or the columns of JSON Lines."""

import io
import json
import sys
from collections.abc import Mapping, Sequence
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

Numbered = Sequence[tuple[int, Any]]  # numbers of lines, from 1, and what is in them


def read(note: Note) -> list[str] | dict[str, list[Any]]:
    """Read texts, one in each line, or columns where lines are JSON objects.

    Lines are JSON where the first one is an object, or all begin like one. Blank lines are left
    out, as those of a text file are.

    Raises:
        DataError: not UTF-8, no line, or lines of JSON that make no table; names the line.
    """
    # splitlines() would end a line inside of texts, too: at form feeds and U+2028
    lines = [line.rstrip("\n") for line in io.StringIO(_decoded(), newline=None)]
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise DataError(f"{NAME}: there are no rows to predict")
    if _is_json(rows):
        return _columns([(number, _object(number, line)) for number, line in rows])
    if num_blank := len(lines) - len(rows):
        note(f"{NAME}: {num_blank:,} blank line{'s' * (num_blank > 1)} left out")
    return [line for _, line in rows]


def _decoded() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{NAME}: not UTF-8 ({error}); give a file instead") from None


def _is_json(rows: Numbered) -> bool:
    if all(line.lstrip().startswith("{") for _, line in rows):
        return True
    try:
        return isinstance(json.loads(rows[0][1]), dict)
    except (ValueError, RecursionError):
        return False


def _object(number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{NAME}, line {number}: not JSON ({error})") from None
    if not isinstance(value, dict):
        shown = printable(line, MAX_SHOWN)
        raise DataError(f'{NAME}, line {number}: {shown}: expected an object such as {{"text": …}}')
    return value


def _columns(rows: Numbered) -> dict[str, list[Any]]:
    """Turn rows into columns, each of one kind of values.

    Raises:
        DataError: a column has several kinds, which no table holds; names two lines.
    """
    columns: dict[str, list[Any]] = {}
    for name in dict.fromkeys(chain.from_iterable(row for _, row in rows)):
        values = {number: row.get(name) for number, row in rows}
        _check_kinds(name, values)
        columns[name] = [*values.values()]
    return columns


def _check_kinds(name: str, values: Mapping[int, Any]) -> None:
    kinds = {number: KINDS[type(v)] for number, v in values.items() if v is not None}
    first = next(iter(kinds), None)
    for number, kind in kinds.items():
        if first is not None and kind != kinds[first]:
            shown = printable(json.dumps(values[number], ensure_ascii=False), MAX_SHOWN)
            raise DataError(
                f"{NAME}, line {number}: {printable(name)} is {shown}, and {kinds[first]} in line "
                f"{first}; expected one kind of values in a column"
            )
