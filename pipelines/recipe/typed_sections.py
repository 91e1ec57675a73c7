"""The value of a top-level key -> a checked section, by the class of the kind that it names."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from pipelines.core import registry
from pipelines.core.errors import RecipeError, suggest
from pipelines.recipe import checks, hints, training_fields
from pipelines.recipe.document import Document
from pipelines.recipe.problems import explain, model_in
from pipelines.recipe.reading import DEFAULT_STRATEGY, KINDS

OF_FILES = {
    "extends": "'extends' is for files",
    "stages": "'stages' are for `graft run`, `graft check` and `graft.load`; expected one recipe",
}
OPTIONAL_KINDS = ("augmentation", "adaptation")
Fields = Mapping[str, FieldInfo]


def check(document: Document, key: str, value: Any, fields: Fields, problems: list[str]) -> Any:
    """Check the value of a top-level key.

    Args:
        fields: of a recipe, by their names.
        problems: mistakes are added to these.
    """
    if key not in fields:
        reason = OF_FILES.get(key) or f"unknown key '{key}'; {_hint(document, key, fields)}"
        problems.append(f"{document.place((key,))}: {reason}")
        return None
    # null leaves a section out: there is no kind whose class could check it
    if value is None and key in OPTIONAL_KINDS:
        return None
    try:
        kind = section_type(key, value, fields)
        if key == "training":
            problems += checks.misplaced_training_keys(document)
        # `training:` with nothing below it is null in YAML
        section = TypeAdapter(kind).validate_python(
            {} if key == "training" and value is None else value
        )
        # without what the recipe leaves out, whose None would win over the strategy's defaults
        return section.model_dump(exclude_unset=True) if key == "training" else section
    except RecipeError as error:
        problems.append(f"{document.place((key, KINDS[key][0]))}: {error}")
    except ValidationError as error:
        problems += explain(document, key, error.errors(), kind)
    return None


def section_type(key: str, values: Any, fields: Fields) -> Any:
    """Return the type that checks a section; for a task, strategy or source, the named class.

    Raises:
        RecipeError: the section does not name its kind, or a kind that does not exist.
    """
    if key == "training":
        return training_fields.model()
    if key not in KINDS:
        return fields[key].annotation
    kind_key, package = KINDS[key]
    kind = values.get(kind_key) if isinstance(values, dict) else None
    if key == "strategy" and kind is None and isinstance(values, dict):
        kind = DEFAULT_STRATEGY
    known = registry.names(package)
    if kind is None:
        raise RecipeError(hints.of_missing_kind(key, kind_key, values, known))
    hint = hints.of_kind(key, str(kind)) if kind not in known else None
    if hint:
        raise RecipeError(hint)
    return registry.find(package, str(kind))


def _hint(document: Document, key: str, fields: Fields) -> str:
    """Say what is meant by a key that is no section, from the kinds that this recipe names."""
    known = {*fields, "extends", "stages"}
    sections = {}
    for name in fields:
        try:
            sections[name] = model_in(section_type(name, document.values.get(name), fields))
        except RecipeError:  # of a kind that does not exist, which is reported by itself
            continue
    hint = hints.of_top_level_key(key, {name: kind for name, kind in sections.items() if kind})
    return hint or suggest(key, known)
