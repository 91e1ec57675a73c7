"""Checks of the label column before anything is trained on it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.core.label_inference import NO_CLASS
from pipelines.core.labels import IGNORED, SINGLE, Labels
from pipelines.data.rows import Rows

if TYPE_CHECKING:
    from datasets import Dataset

MAX_CLASSES_SHOWN = 50  # in an error message
GAPS = (None, "")
MAX_LABELS_SHOWN = 10  # of a row with a gap


def are_hidden(test: "Dataset", train: "Dataset", target: str = "label") -> bool:
    """Return whether no row of a test split has a label: all are empty, or -1 (as in GLUE)."""
    if len(list(rows_without_label(test, target))) == len(test):
        return True
    # if train has -1 too, it is a class like any other
    return all(label == NO_CLASS for label in test[target][:]) and NO_CLASS not in train[target][:]


def rows_without_label(
    dataset: "Dataset", target: str = "label", *, are_numbers: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield (position, reason) of every row without a label.

    That is None, an empty string, NaN, -100, -1 where ids stand for named classes, or a list with
    a gap.

    Args:
        are_numbers: whole numbers are numbers to predict, of which -100 is one.
    """
    feature = dataset.features[target]
    if hasattr(feature, "feature"):
        yield from _lists_with_gaps(dataset[target][:])
        return
    absent: set[Any] = {*GAPS}
    if hasattr(feature, "names"):
        absent |= {NO_CLASS, IGNORED}
    elif getattr(feature, "dtype", "").startswith("int") and not are_numbers:
        absent.add(IGNORED)  # without class names, -1 is a class like any other
    for position, label in enumerate(dataset[target][:]):
        # only NaN differs from itself; fields of a struct are refused later
        if label != label or (not isinstance(label, dict) and label in absent):
            yield position, f"no label ({label!r})"


def are_whole_floats(dataset: "Dataset") -> bool:
    """Return whether labels are stored as floats, and each is a whole number."""
    return all(isinstance(v, float) and v.is_integer() for v in dataset["label"][:])


def with_integers(rows: Rows) -> Rows:
    """Convert float labels to integers, if each is a whole number."""
    from datasets import Value

    if not are_whole_floats(rows.dataset):
        return rows
    return replace(rows, dataset=rows.dataset.cast_column("label", Value("int64")))


def check_class_names(dataset: "Dataset", train: "Dataset", split: str) -> None:
    """Check that class ids mean the same classes as in train.

    Raises:
        DataError: a class has another name, or there are more or fewer classes.
    """
    names, train_names = _class_names(dataset), _class_names(train)
    if not names or not train_names or names == train_names:
        return
    for i, (name, train_name) in enumerate(zip(names, train_names, strict=False)):
        if name != train_name:
            raise DataError(
                f"{split}: class {i} is called '{name}', but '{train_name}' in train; give both "
                "splits the same list of class names"
            )
    raise DataError(
        f"{split}: has {len(names)} classes, train has {len(train_names)}; give both splits the "
        "same list of class names"
    )


def check_learnable(rows: Rows, train: "Dataset", labels: Labels, split: str) -> None:
    """Check that train has every label of a split.

    Raises:
        DataError: a label does not occur in train, or is not a number in a regression.
    """
    column = rows.dataset["label"][:]
    if labels.problem_type != SINGLE:
        labels.encode(column, split)  # raises at the first value that it does not know
        return
    # a class that is only declared cannot be learned: what counts is the rows of train
    seen = set(train["label"][:])
    row = next((row for row, value in enumerate(column) if value not in seen), None)
    if row is not None:
        names = dict(zip(labels.values, labels.names, strict=True))
        label = names.get(column[row], column[row])
        known = [repr(name) for value, name in names.items() if value in seen]
        raise DataError(
            f"{rows.location(split, row)}: label {label!r} does not occur in train; "
            f"it has {', '.join(known[:MAX_CLASSES_SHOWN])}"
        )


def classes_without_examples(train: "Dataset", labels: Labels) -> list[str]:
    """List the classes that the column declares and no row of train has."""
    if labels.problem_type != SINGLE:
        return []
    seen = set(train["label"][:])
    return [n for n, value in zip(labels.names, labels.values, strict=True) if value not in seen]


def _lists_with_gaps(rows: list[Any]) -> Iterator[tuple[int, str]]:
    for position, row in enumerate(rows):
        if row is None:
            yield position, "no label (None)"
            continue
        # only NaN differs from itself
        gap = next((i for i, label in enumerate(row) if label in GAPS or label != label), None)
        if gap is not None:
            # a list may have a tag for each word of a long text
            shown = ", ".join(map(repr, row[:MAX_LABELS_SHOWN])) + ", …" * (
                len(row) > MAX_LABELS_SHOWN
            )
            yield position, f"no label at place {gap} of [{shown}]"


def _class_names(dataset: "Dataset") -> list[str] | None:
    """Return the declared class names, those of a list of classes included."""
    feature = dataset.features["label"]
    return getattr(getattr(feature, "feature", feature), "names", None)
