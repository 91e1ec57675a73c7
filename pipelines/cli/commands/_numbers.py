"""Numbers on the command line that have a least value."""

from pipelines.core.errors import RecipeError


def require(option: str, number: int, at_least: int) -> None:
    """Refuse a number that is too small.

    Raises:
        RecipeError: names the option.
    """
    if number < at_least:
        raise RecipeError(f"command line: {option} {number}: expected {at_least} or more")
