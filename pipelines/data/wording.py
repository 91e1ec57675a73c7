"""Counts, shares and pairs of rows in the words of findings."""

from collections.abc import Mapping

from pipelines.data.duplicates import Repeats

MAX_CLASSES_ON_LINE = 12
MAX_PAIRS_IN_WARNING = 3


def percent(share: float) -> str:
    """Write a share as a percentage, to two digits where it is small."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def contradictions(repeats: Repeats) -> str:
    """Say how many repeats have another label; empty if none has."""
    count = repeats.with_other_label
    return f", {count:,} with another label" if count else ""


def pairs(repeats: Repeats, where: str = "") -> str:
    """Name the first pairs of equal rows, for the reader to look up."""
    pairs = [f"row {here} is row {other}{where}" for other, here in repeats.rows]
    more = ", …" * (repeats.count > MAX_PAIRS_IN_WARNING)
    return f" ({', '.join(pairs[:MAX_PAIRS_IN_WARNING])}{more})"


def counts(counts: Mapping[str, int]) -> str:
    """Write all counts, or of many only the largest and the smallest."""
    if len(counts) <= MAX_CLASSES_ON_LINE:
        return ", ".join(f"{name} {count:,}" for name, count in counts.items())
    small, large = extremes(counts)
    if counts[large] == counts[small]:
        return f"{len(counts)}, {counts[large]:,} each"
    return f"{len(counts)}, from {small} {counts[small]:,} to {large} {counts[large]:,}"


def extremes(counts: Mapping[str, int]) -> tuple[str, str]:
    """Return the name with the smallest count and the one with the largest."""
    return min(counts, key=lambda name: counts[name]), max(counts, key=lambda name: counts[name])
