"""The label column of train -> `Labels`: of which kind, what they are called, in which order.

    column of                           is
    declared classes (ClassLabel)       classes in the declared order
    texts, whole numbers, true/false    classes, sorted naturally: 2 before 10
    numbers with a fraction             a regression, but for a column of 0.0 and 1.0
    lists                               several labels
    lists of 0 and 1, all of one length several labels, a 0 or 1 for each

Everything else is refused. `Labels.reason` says what showed the kind; a recipe says the kind with
`task.problem_type` and the names with `data.label_names`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError, RecipeError, suggest
from pipelines.core.label_messages import EXPECTED, SHARES, first_shown, reason_of, remedy
from pipelines.core.labels import (
    IGNORED,
    MULTI,
    NO_TAG,
    PROBLEM_TYPES,
    REGRESSION,
    SINGLE,
    TOKENS,
    Labels,
)
from pipelines.core.natural_order import natural
from pipelines.core.tag_schemes import OUTSIDE

if TYPE_CHECKING:
    from datasets import Dataset

LISTING = "'\", "  # characters of lists
NO_CLASS = -1  # "no label" among class ids with names, as in GLUE; otherwise a class like any other
MAX_SHOWN_CLASSES = 10  # in an error message


def infer(train: "Dataset", problem_type: str = "auto") -> Labels:
    """Infer classes and problem type from the label column of train.

    Raises:
        RecipeError: `problem_type` is none of those there are.
        DataError: the column does not fit the problem type, or holds one class only.
    """
    if problem_type not in ("auto", *PROBLEM_TYPES):
        known = suggest(problem_type, PROBLEM_TYPES)
        raise RecipeError(f"unknown problem_type '{problem_type}'; {known}")
    feature, values = train.features["label"], train["label"][:]
    is_list = hasattr(feature, "feature")
    item = feature.feature if is_list else feature
    if not _is_plain(item):
        raise DataError(f"train: column 'label' holds {first_shown(values)}; {remedy(item)}")
    if problem_type in ("auto", MULTI) and _are_lists_in_text(values):
        raise DataError(
            f"train: column 'label' holds {first_shown(values)}, a list in text; for several "
            'labels of an example write lists in JSON Lines, {"label": ["joy", "fear"]}, or a '
            "column of 0 and 1 for each class, data.columns.label=[joy, fear]; for one class each "
            f"set task.problem_type={SINGLE}"
        )
    kind = _kind(values, is_list=is_list) if problem_type == "auto" else problem_type
    if is_list != (kind == MULTI):
        expected = "a list of classes" if kind == MULTI else "one value"
        raise DataError(
            f"task.problem_type: {kind} needs {expected} in each row, and column 'label' of "
            f"train holds {first_shown(values)}"
        )
    if kind == REGRESSION:
        labels = Labels(REGRESSION)
    else:
        labels = _several(item, values) if is_list else _classes(item, values)
    # what the data or the recipe declares needs no reason
    is_inferred = problem_type == "auto" and not hasattr(item, "names")
    return replace(labels, reason=reason_of(labels) if is_inferred else "")


def infer_tags(train: "Dataset") -> Labels:
    """Infer the classes of a column of lists, with one tag for each word.

    Raises:
        DataError: the column holds no lists of tags, or fewer than two tags.
    """
    item, values = getattr(train.features["label"], "feature", None), train["label"][:]
    if not _is_plain(item):
        raise DataError(
            f"train: column 'label' holds {first_shown(values)}; expected a list of tags"
        )
    labels = _classes(item, {*chain.from_iterable(filter(None, values))} - {*NO_TAG})
    if any(isinstance(tag, float) and not tag.is_integer() for tag in labels.values):
        expected = "numbers with a fraction; expected a list of tags, one for each word"
        raise DataError(f"train: column 'label' holds {first_shown(values)}, {expected}")
    if not hasattr(item, "names"):
        # it comes first, as in most published data sets
        tags = tuple(sorted(labels.values, key=lambda value: str(value).upper() != OUTSIDE))
        labels = replace(labels, values=tags, names=_spelled(tags))
    return replace(labels, problem_type=TOKENS)


def with_names(labels: Labels, names: Sequence[str]) -> Labels:
    """Order classes by `names`, or give class ids these names: the first to 0, and so on.

    Raises:
        DataError: the names are for other classes, or for numbers.
    """
    present, ids = set(labels.values), range(len(names))
    # a column of ids may also be read as text
    choices: list[tuple[Any, ...]] = [tuple(ids), tuple(map(str, ids))]
    values = next((choice for choice in choices if present and present <= set(choice)), None)
    if present == set(names):
        values = tuple(names)
    if values is None or (labels.are_indicators and len(names) != len(present)):
        known = ", ".join(map(repr, labels.names[:MAX_SHOWN_CLASSES])) or "numbers to regress on"
        raise DataError(
            f"data.label_names: {', '.join(map(repr, names[:MAX_SHOWN_CLASSES]))} do not fit the "
            f"labels of train: {known}; expected all of these in some order, or a name for each "
            "of the ids 0, 1, 2…"
        )
    return replace(labels, names=tuple(names), values=values)


def _kind(values: list[Any], *, is_list: bool) -> str:
    if is_list:
        return MULTI
    # a column has one type, but its first values may be missing
    are_floats = any(isinstance(v, float) for v in values[:1000])
    # yes and no: what many programs write of whole numbers once a value was missing
    return REGRESSION if are_floats and set(values) - {None} != {0.0, 1.0} else SINGLE


def _are_lists_in_text(values: list[Any]) -> bool:
    """Return whether all values are texts such as "['joy', 'fear']", and no names in brackets."""
    if not isinstance(values[0], str):
        return False
    present = set(values) - {None}
    are_bracketed = all(v[:1] == "[" and v[-1:] == "]" for v in map(str.strip, present))
    return are_bracketed and any(not {*LISTING}.isdisjoint(v) for v in present)


def _is_plain(item: Any) -> bool:
    """Return whether a column, or the lists in it, hold single values."""
    from datasets import ClassLabel, Value

    return isinstance(item, ClassLabel | Value)


def _classes(item: Any, values: Iterable[Any]) -> Labels:
    """Return the classes that the column declares, or those that occur."""
    names = getattr(item, "names", None)
    present = set(values) - {None, IGNORED, NO_CLASS if names else None}
    if len(present) < 2:
        shown = ", ".join(repr(names[v] if names else v) for v in present) or "no label"
        raise DataError(f"train: column 'label' holds {shown} only; need two classes")
    if names:
        return Labels(SINGLE, tuple(names), tuple(range(len(names))))
    classes = tuple(sorted(present, key=natural))
    return Labels(SINGLE, _spelled(classes), classes)


def _spelled(classes: tuple[Any, ...]) -> tuple[str, ...]:
    """Name classes as the column spells them, and ids that became floats by a gap as ids."""
    are_whole = all(isinstance(value, float) and value.is_integer() for value in classes)
    return tuple(map(str, map(int, classes) if are_whole else classes))


def _several(item: Any, values: list[Any]) -> Labels:
    """Read several labels: lists of classes, or of 0 and 1 for each class."""
    members = list(chain.from_iterable(filter(None, values)))
    lengths = {len(row or ()) for row in values}
    is_number = not hasattr(item, "names") and any(isinstance(v, int | float) for v in members)
    # as class ids, rows of two or more would name the same two classes every time
    if is_number and set(members) <= {0, 1} and len(lengths) == 1 and max(lengths) > 1:
        size = max(lengths)
        names = tuple(f"label_{i}" for i in range(size))
        return Labels(MULTI, names, tuple(range(size)), are_indicators=True)
    if any(isinstance(v, float) and not v.is_integer() for v in members):
        raise DataError(
            f"train: column 'label' holds {first_shown(values)}; expected {EXPECTED}; {SHARES}"
        )
    return replace(_classes(item, members), problem_type=MULTI)
