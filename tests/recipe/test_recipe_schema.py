"""The schema for editors accepts and refuses what loading does."""

import json
import os
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from recipe_text import BASE, Load

from pipelines import recipe
from pipelines.core import recipe_files, registry
from pipelines.core.errors import RecipeError
from pipelines.recipe import Recipe, schema, training_fields, yaml_reader

ROOT = Path(__file__).parents[2]
RECIPES = sorted(recipe_files.shipped().values())


def test_training_fields_are_those_of_the_installed_library() -> None:
    from dataclasses import fields

    from transformers import TrainingArguments

    known = set(training_fields.model().model_fields)
    theirs = {field.name for field in fields(TrainingArguments) if field.init}
    assert theirs <= known
    assert known - theirs <= {"resume_from_checkpoint"}


KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def fits(value: Any, rule: dict[str, Any] | bool, root: dict[str, Any]) -> bool:
    """Whether `value` is valid: as much of JSON Schema as pydantic writes for recipes."""
    if isinstance(rule, bool):
        return rule
    if "$ref" in rule:
        return fits(value, root["$defs"][rule["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in rule and not any(fits(value, option, root) for option in rule["anyOf"]):
        return False
    if "type" in rule and not isinstance(value, KINDS[rule["type"]]):
        return False
    if value not in rule.get("enum", [rule.get("const", value)]):
        return False
    below: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        known, others = rule.get("properties", {}), rule.get("additionalProperties", True)
        below = [(child, known.get(key, others)) for key, child in value.items()]
    elif isinstance(value, list):
        below = [(child, rule.get("items", True)) for child in value]
    missing = set(rule.get("required", ())) - set(value if isinstance(value, dict) else ())
    return not missing and all(fits(child, inner, root) for child, inner in below)


def schemas_in(node: Any) -> Iterator[dict[str, Any]]:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from schemas_in(child)
    if isinstance(node, dict):
        yield node


def test_the_schema_is_json_schema_and_refers_to_what_it_defines() -> None:
    built = json.loads(json.dumps(schema.build()))
    assert built["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(built["properties"]) == {*Recipe.model_fields, "extends", "stages"}
    assert set(built["properties"]["training"]["properties"]) == set(
        training_fields.model().model_fields
    )
    types = {"object", "array", "string", "boolean", "null", "integer", "number"}
    for node in schemas_in(built):
        if isinstance(node.get("$ref"), str):
            assert reduce(getitem, node["$ref"].removeprefix("#/").split("/"), built)
        if isinstance(node.get("type"), str):
            assert node["type"] in types


@pytest.mark.parametrize("package", ["tasks", "strategies", "sources"])
def test_the_schema_knows_every_kind(package: str) -> None:
    section = next(key for key, (_, p) in recipe.KINDS.items() if p == package)
    options = schema.build()["properties"][section]["anyOf"]
    constants = [
        option["properties"][recipe.KINDS[section][0]]["const"]
        for option in options
        if "properties" in option
    ]
    assert sorted(constants) == list(registry.names(package))


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        (("", ""), True),
        (("name: lora, r: 4", "name: full"), True),
        (("{name: lora, r: 4}", "lora"), True),
        (("{name: lora, r: 4}", "lorra"), False),
        (("name: lora, r: 4", "name: full, r: 4"), False),
        (("r: 4", "rr: 4"), False),
        (("train: 2000", "train: many"), False),
        (("source: hub", "source: files"), False),  # files have no `name`
        (("task: ", "tusk: "), False),
    ],
)
def test_the_schema_accepts_and_refuses_what_loading_does(
    load: Load, change: tuple[str, str], valid: bool
) -> None:
    text, built = BASE.replace(*change), schema.build()
    assert fits(yaml_reader.parse(text, "").values, built, built) == valid
    if valid:
        load(text)
    else:
        with pytest.raises(RecipeError):
            load(text)


def test_the_shipped_schema_is_up_to_date() -> None:
    """All but `training`, which depends on the installed transformers: run `make docs`."""
    shipped = json.loads((ROOT / "recipes" / "schema.json").read_text(encoding="utf-8"))
    built = json.loads(json.dumps(schema.build()))
    del shipped["properties"]["training"], built["properties"]["training"]
    assert shipped == built


def test_recipes_were_found() -> None:
    assert len(RECIPES) >= 3


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
@pytest.mark.slow
def test_a_shipped_recipe_loads_and_tells_editors_its_schema(path: Path) -> None:
    loaded, built = recipe.load(path), schema.build()
    assert loaded.name == path.stem
    text = path.read_text(encoding="utf-8")
    relative = Path(os.path.relpath(ROOT / "recipes" / "schema.json", path.parent)).as_posix()
    prefix = "" if relative.startswith("../") else "./"
    lines = text.splitlines()
    assert lines[0] == f"# yaml-language-server: $schema={prefix}{relative}"
    assert lines[1].startswith("# ")  # what it is: `graft list` shows it
    assert fits(yaml_reader.parse(text, str(path)).values, built, built)
