"""What the columns of text tables hold: numbers only where all values are."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# "007" and "1e5" may be codes, and are kept as they are
INTEGER, NUMBER = r"^\s*(0|-?[1-9][0-9]{0,17})\s*$", r"^\s*-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?\s*$"
EMPTY, INTEGERS, DECIMALS, TEXT = "empty", "integers", "decimals", "text"
# what two kinds of values are together
ORDER = (EMPTY, INTEGERS, DECIMALS)  # the later one; with text, text


def merge_kinds(kinds_by_file: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Find the kind of every column over all files: numbers only if they are in each of them."""
    kinds: dict[str, str] = {}
    for columns in kinds_by_file:
        for name, kind in columns.items():
            kinds[name] = wider(kinds.get(name, EMPTY), kind)
    return kinds


def wider(first: str, second: str) -> str:
    """Return the kind that a column with values of both kinds is of."""
    if TEXT in (first, second):
        return TEXT
    return max(first, second, key=ORDER.index)


def kind_of(values: "pa.StringArray") -> str:
    """Find the kind of some values of a column; missing ones are of any."""
    import pyarrow.compute as pc

    if values.null_count == len(values):
        return EMPTY
    if _all_match(values, INTEGER):
        return INTEGERS
    if not _all_match(values, NUMBER):
        return TEXT
    # decimals have a point somewhere: 1e5 and 007 are spellings of a name as well
    has_point = pc.any(pc.match_substring(values, ".")).as_py()
    return DECIMALS if has_point else TEXT


def _all_match(values: "pa.StringArray", pattern: str) -> bool:
    import pyarrow.compute as pc

    # the first rows tell most columns of text
    head = pc.all(pc.match_substring_regex(values[:10], pattern)).as_py()
    return head is not False and pc.all(pc.match_substring_regex(values, pattern)).as_py()
