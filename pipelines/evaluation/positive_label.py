"""The option `pos_label` of a metric: the one label that it scores, by name or by id."""

from typing import Any

from pipelines.core.errors import RecipeError, suggest
from pipelines.core.labels import MULTI, SINGLE, Labels

OPTION = "pos_label"
OF_ONE_LABEL = ("auto", "binary")  # averages that are none where one label is scored


def find(metric: str, options: dict[str, Any], labels: Labels) -> int | None:
    """Return the id of the label that a metric's options choose; None if they choose none.

    Raises:
        RecipeError: the data have no such label.
    """
    value = options.get(OPTION)
    if value is None or labels.problem_type not in (SINGLE, MULTI):
        return None
    # a name wins: of classes 1 to 5 nobody thinks of the first one as 0
    if str(value) in labels.names:
        return labels.names.index(str(value))
    # true is an int of Python's
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(labels.names):
        return value
    raise RecipeError(
        f"metric '{metric}': {OPTION}: the data have no label '{value}'; "
        f"{suggest(value, labels.names)}, or an id from 0 to {len(labels.names) - 1}"
    )


def check_average(metric: str, options: dict[str, Any]) -> None:
    """Refuse an average over all labels beside the one label.

    Raises:
        RecipeError: the options ask for both.
    """
    average = options.get("average", "auto")
    if options.get(OPTION) is not None and average not in OF_ONE_LABEL:
        raise RecipeError(
            f"metric '{metric}': {OPTION}: '{options[OPTION]}' is one label, and average "
            f"'{average}' is over all of them; leave one of the two out"
        )
