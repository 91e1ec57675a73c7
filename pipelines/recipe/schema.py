"""The JSON Schema of a recipe, generated from the classes that check it.

Editors that know the modeline `# yaml-language-server: $schema=…` complete keys and mark
mistakes while a recipe is being written.
"""

from typing import Any, get_args

from pydantic import TypeAdapter

from pipelines import recipe
from pipelines.core import registry
from pipelines.recipe import reading, source_names, stage_checks, staged, training_fields

# kinds that a section is of where it does not name one
IMPLIED = (("strategy", "auto"), ("data", source_names.SEVERAL))


def build() -> dict[str, Any]:
    """Build a draft 2020-12 schema; `task`, `strategy` and `data` depend on the kind they name."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {
        "extends": {"type": "string", "description": "a recipe to start from"}
    }
    for key, field in recipe.Recipe.model_fields.items():
        if key in recipe.KINDS:
            properties[key] = _kinds(key, definitions)
        else:
            kind: Any = training_fields.model() if key == "training" else field.annotation
            properties[key] = _hoisted(TypeAdapter(kind).json_schema(), definitions)
        if field.description:
            properties[key] = {**properties[key], "description": field.description}
    for argument in properties["training"]["properties"].values():
        del argument["default"]  # left to transformers: null stands for it here
    for source in properties["data"]["anyOf"]:
        _nest_sources(source["properties"])
    for name in ("Encoder", "TunedCheckpoint"):
        definitions[name] = {"anyOf": [{"type": "string"}, definitions[name]]}
    model = {"anyOf": [{"type": "string"}, properties["model"]]}
    properties["model"] = {"anyOf": [*model["anyOf"], {"type": "array", "items": model}]}
    for key in reading.LISTS:
        items = properties[key]["items"]
        properties[key] = {"anyOf": [properties[key], items]}
    properties["stages"] = _stages(properties)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Graft recipe",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "$defs": definitions,
    }


def _nest_sources(fields: dict[str, Any]) -> None:
    """Let the fields of a source that hold sources refer to those that there are."""
    target = fields["target"]
    del target["type"]
    target["anyOf"] = [{"$ref": "#/properties/data"}, {"type": "null"}]
    if sources := fields.get("sources"):
        each = sources.pop("additionalProperties")
        del sources["type"], each["type"]
        each["$ref"] = "#/properties/data"
        sources["anyOf"] = [
            {"type": "array", "items": each},
            {"type": "object", "additionalProperties": each},
        ]


def _stages(properties: dict[str, Any]) -> dict[str, Any]:
    """List the sections of a stage; `data` may hold some keys only, to add to what is shared."""
    references = {
        key: {"type": ["object", "string", "null"]}
        if key in {*recipe.KINDS, "model"}
        else {"$ref": f"#/properties/{key}"}
        for key in properties
        if key not in stage_checks.WHOLE
    }
    return {
        "type": "array",
        "description": staged.DESCRIPTION,
        "minItems": 1,
        "items": {"type": "object", "additionalProperties": False, "properties": references},
    }


def _kinds(key: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """List one alternative for each file of the package, distinguished by its name."""
    kind_key, package = recipe.KINDS[key]
    is_nullable = type(None) in get_args(recipe.Recipe.model_fields[key].annotation)
    kinds = registry.find_all(package)
    options: list[dict[str, Any]] = (
        [{"enum": [*kinds]}] if recipe.SHORTHANDS.get(key) == kind_key else []
    )
    for name, section in kinds.items():
        schema = _hoisted(section.model_json_schema(), definitions)
        schema["properties"][kind_key] = {"const": name}
        required = {*schema.get("required", [])}
        is_implied = key == "augmentation" or (key, name) in IMPLIED
        schema["required"] = sorted(required | ({kind_key} if not is_implied else set()))
        schema["description"] = registry.summary(package, name)
        options.append(schema)
    return {"anyOf": [*options, {"type": "null"}] if is_nullable else options}


def _hoisted(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Move the nested definitions of a schema to the top."""
    # pydantic refers to `#/$defs/…`, which counts from the root of the whole schema
    definitions.update(schema.pop("$defs", {}))
    return schema
