"""The recipe's `model.config`: fields that the checkpoint's config knows, and the data allow."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pipelines.core.errors import ModelError
from pipelines.core.labels import PROBLEM_TYPES, Labels

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from pipelines.models.section import Model

# of two spellings: a model may read fields that its config does not declare, so only what is
# nearly a declared one is a mistake
MIN_LIKENESS = 0.85
PROPERTIES = ("num_labels", "id2label", "label2id")  # of every config; some write them otherwise


def check(config: "PretrainedConfig", section: "Model", labels: Labels) -> tuple[str, ...]:
    """Refuse misspelt fields, and those that say other than the data.

    Returns:
        Notes on fields that the config does not declare.

    Raises:
        ModelError: names the key, and the nearest field or what the data have.
    """
    known = {*config.to_dict(), *config.attribute_map, *PROPERTIES}
    unknown = [name for name in section.config if name not in known and not hasattr(config, name)]
    for name in unknown:
        # code of the checkpoint's own may read whatever it likes
        near = get_close_matches(name, known, n=1, cutoff=MIN_LIKENESS)
        if near and not section.trust_remote_code:
            raise ModelError(
                f"model.config.{name}: a '{config.model_type}' config has no such field; did you "
                f"mean '{near[0]}'?"
            )
    for problem in _contradictions(section, labels):
        raise ModelError(problem)
    return tuple(
        f"model.config.{name}: a '{config.model_type}' config does not declare it, so the model "
        "may not read it"
        for name in unknown
    )


def _contradictions(section: "Model", labels: Labels) -> Iterator[str]:
    """Yield fields that the data decide, where the recipe has another value."""
    fields, decided = section.config, labels.config
    number = decided.get("num_labels")
    if number is not None and fields.get("num_labels", number) != number:
        yield (
            f"model.config.num_labels: {fields['num_labels']!r}: the data give the head {number} "
            "outputs; leave it out"
        )
    kind = fields.get("problem_type")
    if kind is not None and kind != labels.problem_type and labels.problem_type in PROBLEM_TYPES:
        yield (
            f"model.config.problem_type: {kind!r}: the data are {labels.problem_type}; "
            "task.problem_type reads them otherwise"
        )
    inverse = {str(name): int(i) for i, name in (fields.get("id2label") or {}).items()}
    if "label2id" in decided and fields.get("label2id", inverse) != inverse:
        yield (
            "model.config.label2id: it follows from the data; model.config.id2label={0: …, 1: …} "
            "says what the checkpoint's outputs mean"
        )


def output_names(config: "PretrainedConfig", section: "Model") -> tuple[str, ...]:
    """Return what a checkpoint's outputs are called, by its config or by `model.config.id2label`.

    Raises:
        ModelError: the recipe's names are no mapping from 0, 1… to names that differ.
    """
    explicit = section.config.get("id2label")
    try:
        names = {int(i): str(name) for i, name in dict(explicit or config.id2label or {}).items()}
    except (TypeError, ValueError):
        raise ModelError(
            f"model.config.id2label: {explicit!r}; expected a name for each output, such as "
            "{0: negative, 1: positive}"
        ) from None
    ordered = tuple(names[i] for i in sorted(names))
    if not explicit:
        return ordered
    if sorted(names) != list(range(len(explicit))):
        raise ModelError(
            f"model.config.id2label: names outputs {', '.join(map(str, sorted(names)))}; expected "
            f"a name for each from 0 to {max(*names, len(names) - 1)}"
        )
    twice = [name for name in ordered if ordered.count(name) > 1]
    if twice:
        raise ModelError(
            f"model.config.id2label: {twice[0]!r} names {twice.count(twice[0])} outputs; expected "
            "a name of its own for each"
        )
    return ordered
