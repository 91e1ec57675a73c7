"""Rows of several sources -> rows that can be joined: the same columns, types and groups."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.errors import DataError
from pipelines.data import group_column
from pipelines.data.renamed_keys import named
from pipelines.data.rows import Rows

if TYPE_CHECKING:
    from datasets import Dataset, Features

BySource = Mapping[str, Mapping[str, Rows]]  # name of a source -> split -> its rows


def joined(parts: Sequence[Rows]) -> Rows:
    """Join rows of several sources, or several parts of them, whose columns and groups agree."""
    from datasets import concatenate_datasets

    first = parts[0]
    groups, domains = [p.groups for p in parts], [p.domains for p in parts]
    return replace(
        first,
        dataset=concatenate_datasets([part.dataset for part in parts]),
        numbers=np.concatenate([part.numbers for part in parts]),
        groups=first.groups
        and replace(first.groups, numbers=np.concatenate([g.numbers for g in groups if g])),
        domains=first.domains
        and replace(first.domains, numbers=np.concatenate([d.numbers for d in domains if d])),
        # numbers of rows are those of each source, whose ids they find
        ids=first.ids if all(part.ids is first.ids for part in parts) else None,
    )


def check_columns(rows: BySource) -> None:
    """Refuse sources with other inputs than the first one has.

    Raises:
        DataError: there is one.
    """
    (first, by_split), *others = rows.items()
    expected = {*by_split["train"].dataset.column_names}
    for name, other in others:
        present = {*other["train"].dataset.column_names}
        if present != expected:
            differing = ", ".join(sorted(present ^ expected))
            raise DataError(
                f"data.sources.{name}: reads {', '.join(sorted(present))}, and '{first}' "
                f"{', '.join(sorted(expected))}; expected the same of all sources: name columns of "
                f"{differing} in both, or in none (data.sources.{name}.columns)"
            )


def as_first(rows: BySource) -> dict[str, dict[str, Rows]]:
    """Give all data sets the types, and the order, of the columns of the first source.

    Raises:
        DataError: the values of a column do not fit the type.
    """
    features = next(iter(rows.values()))["train"].dataset.features
    result: dict[str, dict[str, Rows]] = {}
    for name, by_split in rows.items():
        with named(f"data.sources.{name}"):
            result[name] = {
                split: replace(each, dataset=_cast(each.dataset, features, split))
                for split, each in by_split.items()
            }
    return result


def grouped_alike(rows: BySource) -> BySource:
    """Number groups alike in all sources: equal values are one group, wherever they stand.

    Rows of a source without groups are each a group by itself.
    """
    import pyarrow as pa

    known = [groups for by_split in rows.values() if (groups := by_split["train"].groups)]
    if not known:
        return rows
    texts = {}
    for name, by_split in rows.items():
        for split, each in by_split.items():
            values = pa.nulls(len(each), pa.large_string())
            if each.groups:
                is_missing = each.groups.numbers >= len(each.groups.values)
                values = each.groups.values.take(pa.array(each.groups.numbers, mask=is_missing))
            texts[f"{split} {name}"] = values
    numbered = group_column.number(texts, known[0].column)
    result: dict[str, dict[str, Rows]] = {}
    for name, by_split in rows.items():
        result[name] = {
            s: replace(each, groups=numbered[f"{s} {name}"]) for s, each in by_split.items()
        }
    return result


def _cast(dataset: "Dataset", features: "Features", split: str) -> "Dataset":
    """Cast the columns that have another type.

    Raises:
        DataError: the values of a column do not fit it.
    """
    import pyarrow as pa

    dataset = dataset.select_columns([name for name in features if name in dataset.features])
    for name, feature in features.items():
        present = dataset.features.get(name, feature)
        if present == feature:
            continue
        try:
            dataset = dataset.cast_column(name, feature)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError, ValueError):
            raise DataError(
                f"{split}: column '{name}' holds {getattr(present, 'dtype', present)}, and that of "
                f"the first source {getattr(feature, 'dtype', feature)}; expected one type in all; "
                f"name another column: data.columns.{name}=…"
            ) from None
    return dataset
