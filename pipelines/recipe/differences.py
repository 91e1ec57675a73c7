"""Where two recipes differ, key by key."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.recipe.reading import KINDS
from pipelines.recipe.recipe import Recipe

LEFT_OUT: Any = object()  # the value of a key that is not there
MAX_LETTERS = 120  # of a value in a message


@dataclass(frozen=True)
class Difference:
    """A key that has two values, either of which may be LEFT_OUT."""

    key: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.key}: {_shown(self.before)} -> {_shown(self.now)}"


def differences(before: Recipe, now: Recipe) -> tuple[Difference, ...]:
    """List the keys in which two recipes differ, defaults filled in.

    Of a section of another kind, such as another strategy, only the kind is listed.
    `training.resume_from_checkpoint` is no difference: it says how a recipe is run.
    """
    return tuple(of_values(_values(before), _values(now)))


def of_values(before: Any, now: Any, *key: str) -> Iterator[Difference]:
    """Yield the differences of two trees of plain values below `key`."""
    if before == now:
        return
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        yield Difference(".".join(key), before, now)
        return
    kind = KINDS.get(key[0], ("",))[0] if len(key) == 1 else ""
    names = [kind] if before.get(kind) != now.get(kind) else [*dict.fromkeys((*before, *now))]
    for name in names:
        yield from of_values(before.get(name, LEFT_OUT), now.get(name, LEFT_OUT), *key, str(name))


def _values(recipe: Recipe) -> dict[str, Any]:
    values = recipe.model_dump(mode="json")
    values["training"].pop("resume_from_checkpoint", None)
    return values


def _shown(value: Any) -> str:
    if value is LEFT_OUT:
        return "left out"
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # as it was written: 3 epochs
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_LETTERS else f"{text[:MAX_LETTERS]}…"
