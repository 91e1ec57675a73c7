"""The labels of several sources -> labels of one kind: classes are the same by name, not by number.

`[neg, pos]` in one source and `[pos, neg]` in another become `[neg, pos]`; names of classes, or
numbers, beside texts become texts, and whole numbers beside fractions fractions.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.errors import DataError, listed
from pipelines.core.labels import MULTI, SINGLE, TOKENS, Labels
from pipelines.data.dataset import Note
from pipelines.data.rows import Rows
from pipelines.data.united_rows import BySource

if TYPE_CHECKING:
    from datasets import Dataset

NUMBERS = ("int", "uint", "float")  # what types of numbers begin with
MAX_SHOWN_LABELS = 5
Spell = Callable[[Any], Any]  # a label of one source -> the same one in all of them


def unite(rows: BySource) -> BySource:
    """Unite the columns `label`.

    Raises:
        DataError: lists in one source, and single labels in another.
    """
    train = {name: by_split["train"].dataset for name, by_split in rows.items()}
    features = {name: dataset.features["label"] for name, dataset in train.items()}
    _check_lists(features)
    item, spells = _spelling(features)
    result: dict[str, dict[str, Rows]] = {}
    for name, by_split in rows.items():
        if name not in spells:
            result[name] = dict(by_split)
            continue
        result[name] = {
            split: replace(each, dataset=_spelled(each.dataset, spells[name], item))
            for split, each in by_split.items()
        }
    return result


def check(train: Rows, labels: Labels, note: Note) -> None:
    """Refuse a source that shares no class with the others, and note which lack one.

    Raises:
        DataError: there is such a source.
    """
    has_classes = labels.problem_type in (SINGLE, MULTI, TOKENS)
    if train.domains is None or not has_classes or labels.are_indicators:
        return
    classes = _classes(train, labels)
    for name, present in classes.items():
        others = set().union(*(each for other, each in classes.items() if other != name))
        if present and others and not present & others:
            raise DataError(
                f"data.sources.{name}: its labels ({_shown(present)}) are none of those of the "
                f"others ({_shown(others)}); equal classes have to be spelled alike: rename "
                f"them, or name another column (data.sources.{name}.columns.label=…)"
            )
    for name, present in classes.items():
        if absent := set(labels.names) - present:
            note(f"labels are those of all sources together; '{name}' has no {_shown(absent)}")


def _check_lists(features: dict[str, Any]) -> None:
    (first, feature), *others = features.items()
    for name, other in others:
        if hasattr(other, "feature") != hasattr(feature, "feature"):
            lists, single = (name, first) if hasattr(other, "feature") else (first, name)
            raise DataError(
                f"data.sources.{name}: labels are lists in '{lists}', and one for each example in "
                f"'{single}'; expected the same in all sources"
            )


def _spelling(features: dict[str, Any]) -> tuple[Any, dict[str, Spell]]:
    """Return the feature of a label in all sources, and how each source comes to it.

    A source without a function spells its labels so already.
    """
    from datasets import ClassLabel, Value

    declared = {name: _names(feature) for name, feature in features.items()}
    kinds = {getattr(_item(feature), "dtype", "") for feature in features.values()}
    if all(declared.values()):
        names = [*dict.fromkeys(chain.from_iterable(filter(None, declared.values())))]
        places = {name: place for place, name in enumerate(names)}
        others = {source: each for source, each in declared.items() if each and each != names}
        moves = {source: _moved(each, places) for source, each in others.items()}
        return ClassLabel(names=names), moves
    if not any(declared.values()):
        if len(kinds) == 1:
            return None, {}
        if all(kind.startswith(NUMBERS) for kind in kinds):
            kind = "float64" if any("float" in kind for kind in kinds) else "int64"
            return Value(kind), dict.fromkeys(features, lambda label: label)
    return Value("string"), {source: _as_text(each or []) for source, each in declared.items()}


def _item(feature: Any) -> Any:
    """Return the feature of a single label, that of the items of lists."""
    return getattr(feature, "feature", feature)


def _names(feature: Any) -> list[str] | None:
    """Return the declared names of classes."""
    return getattr(_item(feature), "names", None)


def _moved(names: list[str], united: dict[str, int]) -> Spell:
    """Make ids those of the united list; what stands for no label stays."""
    places = [united[name] for name in names]
    return lambda label: places[label] if isinstance(label, int) and label >= 0 else label


def _as_text(names: list[str]) -> Spell:
    """Make ids the names of their classes, or numbers texts; no class is no label."""

    def spell(label: Any) -> Any:
        if label is None or isinstance(label, str):
            return label
        if not names:
            return str(label)
        return names[label] if label >= 0 else None

    return spell


def _spelled(rows: "Dataset", spell: Spell, item: Any) -> "Dataset":
    """Replace the labels of a split, those in lists included."""
    if "label" not in rows.column_names:
        return rows
    feature, labels = rows.features["label"], rows["label"][:]
    if hasattr(feature, "feature"):
        from datasets import List

        item = List(item)
        labels = [None if row is None else [*map(spell, row)] for row in labels]
    else:
        labels = [*map(spell, labels)]
    return rows.remove_columns("label").add_column("label", labels, feature=item)


def _classes(train: Rows, labels: Labels) -> dict[str, set[str]]:
    """Return the names of the classes that each source has in train."""
    assert train.domains
    spelled = dict(zip(labels.values, labels.names, strict=True))
    classes = {}
    for number, name in enumerate(train.domains.names):
        rows = np.flatnonzero(train.domains.numbers == number)
        values = train.dataset.select_columns(["label"]).select(rows)["label"][:]
        if labels.problem_type == SINGLE:
            present = set(np.unique(np.asarray(values)).tolist())
        else:
            present = set(chain.from_iterable(filter(None, values)))
        classes[name] = {spelled[value] for value in present if value in spelled}
    return classes


def _shown(names: set[str]) -> str:
    return listed(sorted(names), MAX_SHOWN_LABELS)
