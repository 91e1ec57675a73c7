"""Labels of new data -> names of the classes that a run knows, or a refusal by the difference."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain, compress
from typing import Any

from pipelines.core.errors import DataError, listed
from pipelines.core.labels import MULTI, NO_TAG, TOKENS, Labels
from pipelines.data.dataset import Note
from pipelines.data.rows import Rows

MAX_LISTED = 20  # names, in a message
MAX_IDS_SHOWN = 5
Names = dict[Any, str]  # label as the column has it -> its name


def spelled(rows: Rows, labels: Labels, id_names: Sequence[str], note: Note) -> Rows:
    """Write each label by its name.

    Args:
        labels: what the run knows: one class, several labels, or tags.
        id_names: what the ids 0, 1, 2… mean, where labels are ids.
        note: is called with what ids were taken for.

    Raises:
        DataError: labels that the run does not know; has their counts and the nearest names.
    """
    from datasets import List, Value

    feature = rows.dataset.features["label"]
    is_list = hasattr(feature, "feature")
    if is_list != (labels.problem_type in (MULTI, TOKENS)):
        expected = "a list of names" if labels.problem_type in (MULTI, TOKENS) else "one name"
        raise DataError(f"column 'label' holds {rows.dataset[0]['label']!r}; expected {expected}")
    values = rows.dataset["label"][:]
    declared = getattr(feature.feature if is_list else feature, "names", None)
    if labels.problem_type == MULTI and not declared and _are_indicators(values, labels):
        values = [[*compress(labels.names, row)] for row in values]
    counts = Counter(chain.from_iterable(values) if is_list else values)
    names = _names(counts, declared, labels, id_names, note)
    _check(counts, names, rows, labels)
    if is_list:
        column: list[Any] = [[*map(names.__getitem__, row)] for row in values]
    else:
        column = [names[value] for value in values]
    kind = List(Value("string")) if is_list else Value("string")
    others = rows.dataset.remove_columns("label")
    return replace(rows, dataset=others.add_column("label", column, feature=kind))


def _are_indicators(values: list[Any], labels: Labels) -> bool:
    """Return whether each row is a 0 or 1 for each class."""
    members = set(chain.from_iterable(values))
    is_whole = all(len(row) == len(labels.names) for row in values)
    return is_whole and members <= {0, 1} and not {"0", "1"} & {*labels.names}


def _names(
    counts: Mapping[Any, int],
    declared: Sequence[str] | None,
    labels: Labels,
    id_names: Sequence[str],
    note: Note,
) -> Names:
    """Name each label, known or not."""
    if declared:
        return {value: declared[value] if value >= 0 else str(value) for value in counts}
    known = {*labels.names}
    names = {value: _spell(value, known) for value in counts}
    are_ids = all(text.isdecimal() and int(text) < len(id_names) for text in names.values())
    if not are_ids or known & {*names.values()}:
        return names
    by_id = {value: id_names[int(text)] for value, text in names.items()}
    pairs = sorted(zip(names.values(), by_id.values(), strict=True), key=lambda pair: int(pair[0]))
    shown = listed((f"{number} is '{name}'" for number, name in pairs), MAX_IDS_SHOWN)
    note(f"labels are ids: {shown}")
    return by_id


def _spell(value: Any, known: set[str]) -> str:
    """Write a label as a name; a gap makes whole numbers floats."""
    text = str(value)
    if text not in known and isinstance(value, float) and value.is_integer():
        return str(int(value))
    return text


def _check(counts: Mapping[Any, int], names: Names, rows: Rows, labels: Labels) -> None:
    """Refuse names that the run does not know.

    Raises:
        DataError: lists them with their counts and the nearest names.
    """
    unknown: Counter[str] = Counter()
    for value, name in names.items():
        is_gap = labels.problem_type == TOKENS and value in NO_TAG
        if name not in labels.names and not is_gap:
            unknown[name] += counts[value]
    if not unknown:
        return
    unit = "words" if labels.problem_type == TOKENS else "rows"
    shown = (_described(name, count, unit, labels) for name, count in unknown.most_common())
    raise DataError(
        f"{rows.origin}: {len(unknown):,} of {len(names):,} labels are not among those of the "
        f"run: {listed(shown, MAX_LISTED)}; it has "
        f"{listed(map(repr, labels.names), MAX_LISTED)}; rename them, leave out their rows, or "
        "name another column: data.columns.label=…"
    )


def _described(name: str, count: int, unit: str, labels: Labels) -> str:
    """Describe an unknown label: how often it occurs, and which name is nearest."""
    near = get_close_matches(name, labels.names, n=1)
    if not near:
        folded = {each.casefold(): each for each in labels.names}
        near = [folded[match] for match in get_close_matches(name.casefold(), folded, n=1)]
    hint = f", like '{near[0]}'" if near else ""
    return f"{name!r} ({count:,} {unit if count > 1 else unit[:-1]}{hint})"
