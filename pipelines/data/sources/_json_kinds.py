"""What the columns of JSON tables hold: kinds of values, which is usual, and what differs.

A text that looks like a date remains a text, and numbers beyond 64 bits are kept as they are
written.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

MAX_SHOWN_CHARACTERS = 60  # of a value, in an error message
TRUTH, NUMBER, TEXT, LIST, OBJECT = "true or false", "a number", "a text", "a list", "an object"
KINDS = {bool: TRUTH, int: NUMBER, float: NUMBER, str: TEXT, list: LIST, dict: OBJECT}
# half of an emoji, which no encoding can write; and a list or object that holds mixed types
BROKEN_TEXT, MIXED_INSIDE = "a text with half a character", "values of mixed types"
NOTHING = "nothing"


@dataclass(frozen=True)
class Kind:
    """The values of one kind in a column.

    Attributes:
        type: of Arrow; null where no column can hold them.
        count: how many there are.
        place: file and row of the first of them.
        value: the first of them, as the file writes it.
    """

    name: str
    type: "pa.DataType"
    count: int = 0
    place: str = ""
    value: str = ""

    def __add__(self, other: "Kind") -> "Kind":
        """Join with the values of another file, or of another part of this one."""
        count = self.count + other.count
        joined = _joined(self.type, other.type)
        if joined is None:  # the other one is the first that differs
            return replace(other, name=MIXED_INSIDE, count=count)
        return replace(self, type=joined, count=count)


# column -> kind of values -> Kind
Kinds = Mapping[str, Mapping[str, Kind]]


def merge_kinds(tables: Iterable[Kinds]) -> dict[str, dict[str, Kind]]:
    """Join what the columns of all files, or of all parts of one, hold."""
    merged: dict[str, dict[str, Kind]] = {}
    for kinds in tables:
        for column, present in kinds.items():
            known = merged.setdefault(column, {})
            for name, kind in present.items():
                known[name] = known[name] + kind if name in known else kind
    return merged


def mixed(kinds: Kinds) -> dict[str, str]:
    """Find the columns of more than one kind: column -> the first value that differs."""
    reasons = {}
    for column, present in kinds.items():
        expected = usual(present)
        for kind in present.values():
            if not kind.count or (kind == expected and kind.name in KINDS.values()):
                continue
            others = f", where {expected.count:,} rows hold {expected.name}"
            reasons[column] = (
                f"{kind.place}: column '{column}' holds {kind.value}, {kind.name}"
                f"{others if kind != expected else ''}; give the column one type"
            )
    return reasons


def usual(present: Mapping[str, Kind]) -> Kind:
    """Return the kind that most values of a column are of."""
    return max(present.values(), key=lambda kind: kind.count)


def kinds_of(file: Path, values: list[Any], start: int) -> dict[str, Kind]:
    """Find the kinds of some values, the first of which stands in row `start`."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, value in enumerate(values):
        if value is not None:
            rows[KINDS[type(value)]].append(row)
    if not _is_encodable("".join(values[row] for row in rows.get(TEXT, ()))):
        texts = rows.pop(TEXT)
        for row in texts:
            rows[TEXT if _is_encodable(values[row]) else BROKEN_TEXT].append(row)
    kinds = {NOTHING: Kind(NOTHING, _null())}
    for name, members in rows.items():
        arrow_type = _type(name, [values[row] for row in members])
        first, known = members[0], name
        if arrow_type is None:
            known = MIXED_INSIDE
            pairs = ((row, [values[first], values[row]]) for row in members)
            first = next((row for row, pair in pairs if _type(name, pair) is None), first)
        place, value = f"{file}, row {start + first}", _shown(values[first])
        kinds[known] = Kind(known, arrow_type or _null(), len(members), place, value)
    return kinds


def _type(kind: str, values: list[Any]) -> "pa.DataType | None":
    """Return the type of Arrow that holds all these values; None where there is none."""
    import pyarrow as pa

    if kind == NUMBER:
        if any(isinstance(value, float) for value in values):
            return pa.float64()
        # larger ones are ids, and would lose digits as floats
        return pa.int64() if -(2**63) <= min(values) <= max(values) < 2**63 else pa.string()
    known = {TRUTH: pa.bool_(), TEXT: pa.string(), BROKEN_TEXT: pa.null()}
    try:
        return known.get(kind) or pa.array(values).type
    except (ValueError, TypeError, OverflowError):  # of which Arrow's errors are
        return None


def _joined(first: "pa.DataType", second: "pa.DataType") -> "pa.DataType | None":
    """Return the type that holds the values of both; None where there is none."""
    import pyarrow as pa

    types = {first, second}
    if types == {pa.string(), pa.float64()}:
        return pa.float64()
    if types == {pa.string(), pa.int64()}:
        return pa.string()
    try:
        schemas = [pa.schema([("", each)]) for each in (first, second)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (ValueError, TypeError):
        return None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"


def _null() -> "pa.DataType":
    import pyarrow as pa

    return pa.null()
