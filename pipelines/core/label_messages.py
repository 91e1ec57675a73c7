"""Messages about labels: what showed their kind, and what to write instead."""

from typing import Any

from pipelines.core.labels import MULTI, REGRESSION, SINGLE, Labels

EXPECTED = "a class, a number, a list of classes, or a list of 0 and 1 for each class"
SHARES = (
    "shares of classes (soft labels) cannot be trained on: for one label, write the class of the "
    "largest share; for several, 1 for each share above 0.5"
)
MAX_SHOWN_CHARACTERS = 80  # of a value, in an error message


def reason_of(labels: Labels) -> str:
    """Say what the kind of labels was inferred from, and how to name another one."""
    if labels.problem_type == REGRESSION:
        return (
            "labels are floats, so the task is a regression; for classes set "
            f"task.problem_type={SINGLE}"
        )
    count = f"{len(labels.names):,} classes"
    if labels.are_indicators:
        return (
            f"label: {count}, several for each example, because it holds rows of 0 and 1; "
            "data.label_names names them"
        )
    if labels.problem_type == MULTI:
        return f"label: {count}, several for each example, because it holds lists"
    if isinstance(labels.values[0], str):
        return f"label: {count}, because it holds texts"
    if isinstance(labels.values[0], bool):
        return f"label: {count}, because it holds true and false"
    return (
        f"label: {count}, because it holds whole numbers; to predict a number set "
        f"task.problem_type={REGRESSION}"
    )


def remedy(item: Any) -> str:
    """Say what to write instead of a column whose values are no labels.

    Args:
        item: the type of its values, as `datasets` has it.
    """
    if not isinstance(item, dict):
        return f"expected {EXPECTED}"
    fields = ", ".join(item)
    types = [str(getattr(field, "dtype", "")) for field in item.values()]
    if all(name.startswith(("int", "uint", "float", "bool")) for name in types):
        return (
            f"expected {EXPECTED}: put each class into a column of 0 and 1, and name them, "
            f"data.columns.label=[{fields}]; or write the class alone"
        )
    return f"expected {EXPECTED}: of its fields ({fields}), write the one that is the label alone"


def first_shown(values: list[Any]) -> str:
    """Show the first value that is not missing, shortened."""
    shown = repr(next((value for value in values if value is not None), None))
    return shown if len(shown) <= MAX_SHOWN_CHARACTERS else f"{shown[:MAX_SHOWN_CHARACTERS]}…"
