"""Changes to a recipe given in Python: texts as on the command line, or a mapping."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.core.errors import RecipeError
from pipelines.recipe.document import Override, plain
from pipelines.recipe.yaml_reader import parse_override

ORIGIN = "overrides"  # the place that messages name

Overrides = str | Iterable[str] | Mapping[str, Any] | None


def parse(overrides: Overrides) -> list[Override]:
    """Parse `"strategy=lora"`, several such texts, or `{"strategy": "lora"}`.

    Raises:
        RecipeError: one of them is no override.
    """
    if overrides is None:
        return []
    if isinstance(overrides, Mapping):
        return [_of_item(key, value) for key, value in overrides.items()]
    if isinstance(overrides, str):
        overrides = [overrides]
    if not isinstance(overrides, Iterable):
        raise _refusal(overrides)
    return [_of_text(text) for text in overrides]


def _of_item(key: Any, value: Any) -> Override:
    if not isinstance(key, str) or not all(key.split(".")):
        raise RecipeError(
            f"{ORIGIN}: {key!r}: expected a key as text, such as 'training.learning_rate'"
        )
    return Override(tuple(key.split(".")), plain(value, ORIGIN), ORIGIN)


def _of_text(text: Any) -> Override:
    if not isinstance(text, str):
        raise _refusal(text)
    return parse_override(text, ORIGIN)


def _refusal(value: Any) -> RecipeError:
    return RecipeError(
        f"{ORIGIN}: {value!r}: expected key=value as text, such as 'strategy=lora', or a "
        "mapping, such as {'strategy': 'lora'}"
    )
