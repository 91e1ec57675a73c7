"""A recipe file, what it extends, and overrides -> one document, not checked yet."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.core import recipe_files, registry
from pipelines.core.errors import RecipeError
from pipelines.recipe import document as documents
from pipelines.recipe import yaml_reader
from pipelines.recipe.data_paths import find_beside
from pipelines.recipe.document import Document, Override, children
from pipelines.recipe.old_keys import drop_removed_keys, rename_sections, renamed
from pipelines.recipe.source_names import SECTION, SEVERAL, name_sources

# `strategy: lora` is short for `strategy: {name: lora}`
SHORTHANDS = {"task": "name", "model": "checkpoint", "strategy": "name", "adaptation": "name"}
LISTS = ("metrics",)  # one entry may stand without brackets
# section -> (the key that names its kind, the package whose files are the kinds)
KINDS = {
    "task": ("name", "tasks"),
    "strategy": ("name", "strategies"),
    "data": ("source", "sources"),
    "augmentation": ("modality", "augmentations"),  # follows from the task
    "adaptation": ("name", "adaptations"),
}
DEFAULT_STRATEGY = "auto"
KIND_KEYS = {(section, kind_key) for section, (kind_key, _) in KINDS.items()}


def read(path: str | Path, overrides: Iterable[str | Override] = ()) -> Document:
    """Read a recipe with everything it extends, and apply overrides.

    Raises:
        RecipeError: a file that cannot be read, or an override that is none.
    """
    file = recipe_files.resolve(path)
    document = layered(file)
    override(document, overrides)
    find_beside(document, file.parent)
    return document


def layered(file: Path) -> Document:
    """Read a recipe with everything it extends, without overrides.

    Raises:
        RecipeError: a file that cannot be read.
    """
    document = Document(str(file))
    for layer in yaml_reader.layers(file):
        lay(document, layer)
    if "distributed_type" in document.values:
        raise RecipeError(
            f"{file}: is a configuration of accelerate, not a recipe; "
            f"accelerate launch --config_file {file} pipelines/run.py RECIPE"
        )
    document.values.setdefault("name", file.stem)
    return document


def lay(document: Document, layer: Document) -> None:
    """Lay a layer over a document, section by section."""
    rename_sections(layer)
    drop_removed_keys(layer)
    if name_sources(layer):  # a list replaces what is below it, and is not added to it
        children(document.values.get("data")).pop("sources", None)
    for section in KINDS:
        # before the layers are merged, while the old kind is still known
        _drop_keys_of_old_kind(document, section, layer.get((section,)))
    document.merge(layer)
    # at once: the next layer may lay keys over what is a single word so far
    _expand(document)


def from_values(
    values: Mapping[str, Any], origin: str, overrides: Iterable[Override] = ()
) -> Document:
    """Make a document of plain values, as a recipe's YAML would hold them.

    Args:
        origin: what error messages name instead of a file and a line.

    Raises:
        RecipeError: `values` is no mapping, or contains itself.
    """
    return from_layer(documents.from_values(values, origin), overrides)


def from_layer(layer: Document, overrides: Iterable[Override] = ()) -> Document:
    """Make a recipe's document of what one file or one mapping holds, and apply overrides."""
    document = Document(layer.origin)
    lay(document, layer)
    override(document, overrides)
    document.values.setdefault("name", "recipe")
    return document


def override(document: Document, overrides: Iterable[str | Override]) -> None:
    """Lay overrides over a document, whole sections before their keys."""
    parsed = (yaml_reader.parse_override(o) if isinstance(o, str) else o for o in overrides)
    for key, value, place in sorted(map(renamed, parsed), key=_is_detail):
        if key in KIND_KEYS:
            _drop_keys_of_old_kind(document, key[0], {key[1]: value})
        if key == SECTION:
            _drop_keys_of_old_kind(document, "data", {"source": SEVERAL})
            document.put(("data", "source"), SEVERAL, place)
        document.put(key, value, place)
        name_sources(document)
        _expand(document)


def _expand(document: Document) -> None:
    """Expand `strategy: lora` to `strategy: {name: lora}`."""
    _expand_models(document)
    for key, field in SHORTHANDS.items():
        value = document.values.get(key)
        if isinstance(value, str | int | float):
            document.values[key] = {field: str(value)}
    for key in LISTS:
        value = document.values.get(key)
        if isinstance(value, str | dict):
            document.put((key,), [value], document.place((key,)))


def _expand_models(document: Document) -> None:
    """Expand `model: [a, b]` to `model: {checkpoint: a, beside: [b]}`."""
    models = document.values.get("model")
    if not isinstance(models, list) or not models:
        return
    places = {key: place for key, place in document.places.items() if key[:1] == ("model",)}
    first, *beside = [str(each) if isinstance(each, int | float) else each for each in models]
    section = first if isinstance(first, dict) else {"checkpoint": first}
    beside = [*children(section.get("beside")).values(), *beside]
    document.put(("model",), {**section, "beside": beside}, document.place(("model",)))
    for key, place in places.items():
        number, *below = key[1:] or ("",)
        if number.isdecimal():
            above = ("beside", str(int(number) - 1)) if int(number) else ()
            document.places["model", *above, *below] = place


def _is_detail(override: Override) -> bool:
    """Sort whole sections and kinds first: `strategy.r=4 strategy=lora` means both."""
    return len(override.key) > 1 and override.key not in KIND_KEYS


def _drop_keys_of_old_kind(document: Document, section: str, over: Any) -> None:
    """Drop the keys that only the old kind has when the kind changes (`data.source=files`)."""
    kind_key, package = KINDS[section]
    default = DEFAULT_STRATEGY if section == "strategy" else None
    old = children(document.values.get(section)).get(kind_key, default)
    new = children(over).get(kind_key)
    # a kind that does not exist is refused when the sections are checked, with its place
    if {str(old), str(new)} <= set(registry.names(package)):
        before, after = (registry.find(package, kind) for kind in (old, new))
        dropped = set(before.model_fields)
        # `peft` declares none of the fields that it takes: they follow from its method
        if before.model_config.get("extra") == "allow":
            dropped |= set(children(document.values[section]))
        for name in dropped - set(after.model_fields):
            children(document.values.get(section)).pop(name, None)
