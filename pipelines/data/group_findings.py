"""Groups that stand in two splits: of a patient in train, another image in test is no news."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from pipelines.data.finding import MAX_LEAK, Finding, Severity
from pipelines.data.rows import Rows
from pipelines.data.wording import percent

MAX_ROWS = 5  # that are listed


def shared(splits: Mapping[str, Rows]) -> Iterator[Finding]:
    """Yield the groups by `data.group` that splits share; those cut from train share none."""
    for first, other in combinations(splits, 2):
        groups, others = splits[first].groups, splits[other].groups
        if not groups or not others:
            continue
        common = np.intersect1d(groups.numbers, others.numbers)
        if not len(common):
            continue
        affected = np.isin(others.numbers, common)
        share = float(affected.mean())
        severity: Severity = "error" if share > MAX_LEAK else "warning"
        message = (
            f"{len(common):,} of {others.count:,} groups of {other} by '{groups.column}' are in "
            f"{first}, too ({groups.names(common)}), with {affected.sum():,} of {len(affected):,} "
            f"{other} examples ({percent(share)}): scores on these are not those of new groups"
        )
        rows = tuple(int(row) for row in splits[other].numbers[affected][:MAX_ROWS])
        yield Finding(severity, message, other, rows)
