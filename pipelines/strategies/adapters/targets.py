"""Which modules a recipe means by a name, as peft reads it: a whole name, or the end of one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pipelines.core.errors import ModelError, suggest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy

Names = tuple[str, ...]


def to_save(model: "PreTrainedModel", anatomy: "Anatomy", requested: "str | list[str]") -> Names:
    """Return the modules that train whole: the new head, unless the recipe names others.

    Raises:
        ModelError: a name that no module bears.
    """
    from pipelines.models.anatomy import outermost

    if requested == "auto":
        return anatomy.head
    return outermost(_matching(model, requested, "modules_to_save"))


def linear(model: "PreTrainedModel", anatomy: "Anatomy") -> Names:
    """Return every linear layer outside the head, in blocks or not: peft's `all-linear`."""
    from pipelines.models.anatomy.layers import is_linear

    output = model.get_output_embeddings()
    return tuple(
        name for name, module in model.named_modules() if is_linear(module) and module is not output
    )


def named(model: "PreTrainedModel", requested: Iterable[str]) -> Names:
    """Return the modules that a recipe's `target_modules` name.

    Raises:
        ModelError: a name that no module bears.
    """
    return _matching(model, requested, "target_modules")


def _matching(model: "PreTrainedModel", requested: Iterable[str], key: str) -> Names:
    """Return the modules whose name is, or ends in, one of the words."""
    names = [name for name, _ in model.named_modules() if name]
    matches: dict[str, None] = {}  # keeps the order, without repeats
    for word in requested:
        meant = [name for name in names if name == word or name.endswith(f".{word}")]
        if not meant:
            ends = {name.rpartition(".")[2] for name in names}
            children = (name for name, _ in model.named_children())
            known = (*children, *(end for end in ends if not end.isdecimal()))
            raise ModelError(
                f"strategy.{key}: '{word}': {type(model).__name__} has no such module; "
                f"{suggest(word, {*known})}"
            )
        matches.update(dict.fromkeys(meant))
    return tuple(matches)
