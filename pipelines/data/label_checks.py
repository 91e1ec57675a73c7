"""What can be wrong with the label column, found before anything is trained on it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.core.labels import SINGLE, Labels
from pipelines.data.rows import Rows

if TYPE_CHECKING:
    from datasets import Dataset


def are_hidden(test: "Dataset", train: "Dataset", target: str = "label") -> bool:
    """Whether no row of a test split has a label: there is nothing, or -1 all the way (GLUE)."""
    if len(list(_missing(test, target))) == len(test):
        return True
    return all(label == -1 for label in test[target][:]) and -1 not in train[target][:]


def missing(split: "Dataset") -> Iterator[tuple[int, str]]:
    """(row, why) of every row without a label."""
    rows = list(_missing(split))
    column = split["label"][:] if rows else []
    return ((row, f"no label ({column[row]!r})") for row in rows)


def refuse_other_names(split: "Dataset", train: "Dataset", part: str) -> None:
    """Raises DataError if class ids stand for other names than they do in train."""
    here, there = _class_names(split), _class_names(train)
    if not here or not there or here == there:
        return
    for i, (ours, theirs) in enumerate(zip(here, there, strict=False)):
        if ours != theirs:
            raise DataError(f"{part}: class {i} is called '{ours}', but '{theirs}' in train")
    raise DataError(f"{part}: has {len(here)} classes, train has {len(there)}")


def refuse_unlearnable(rows: Rows, train: "Dataset", labels: Labels, part: str) -> None:
    """Raises DataError if a label does not occur in train, or is no number to regress on."""
    column = rows.dataset["label"][:]
    if labels.problem_type != SINGLE:
        labels.encode(column, part)
        return
    seen = set(train["label"][:])
    row = next((row for row, value in enumerate(column) if value not in seen), None)
    if row is not None:
        names = dict(zip(labels.values, labels.names, strict=True))
        label = names.get(column[row], column[row])
        known = [repr(name) for value, name in names.items() if value in seen][:50]
        raise DataError(
            f"{rows.place(part, row)}: label {label!r} does not occur in train; "
            f"it has {', '.join(known)}"
        )


def classes_without_examples(train: "Dataset", labels: Labels) -> list[str]:
    """Names of classes that the column declares and no row of train has."""
    if labels.problem_type != SINGLE:
        return []
    seen = set(train["label"][:])
    return [n for n, value in zip(labels.names, labels.values, strict=True) if value not in seen]


def _missing(split: "Dataset", target: str = "label") -> Iterator[int]:
    """Rows that hold nothing, an empty string, not-a-number, or -1 where ids stand for classes."""
    has_names = hasattr(split.features[target], "names")
    absent: tuple[Any, ...] = (None, "", -1) if has_names else (None, "")
    for row, label in enumerate(split[target][:]):
        if label in absent or label != label:
            yield row


def _class_names(split: "Dataset") -> list[str] | None:
    feature = split.features["label"]
    return getattr(getattr(feature, "feature", feature), "names", None)
