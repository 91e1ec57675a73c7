"""What is generated is what the code says; a test that fails names the command that mends it."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pipelines import recipe
from pipelines.core import registry

ROOT = Path(__file__).parents[2]
MEND = "stale: run `make docs` and commit what it changes"


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    """The module docs/generate.py, which is no part of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        yield importlib.import_module("generate")


def test_generated_parts_are_what_the_code_says(generate) -> None:
    stale = [path for path in generate.stale() if path != generate.SCHEMA]
    assert not stale, f"{', '.join(str(path.relative_to(ROOT)) for path in stale)} {MEND}"


@pytest.mark.slow
def test_the_schema_is_what_the_code_says(generate) -> None:
    """All but `training`, which depends on the installed transformers."""
    shipped = json.loads(generate.SCHEMA.read_text(encoding="utf-8"))
    built = json.loads(dict(generate.texts())[generate.SCHEMA])
    for schema in (shipped, built):
        del schema["properties"]["training"]
    assert shipped == built, f"recipes/schema.json {MEND}"


def test_what_is_stale_is_named_and_mended(generate, tmp_path, monkeypatch, capsys) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- generated: strategies -->\nold\n<!-- /generated -->\nz\n")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "PAGES", (page,))
    monkeypatch.setattr(generate, "SCHEMA", tmp_path / "schema.json")
    generate.SCHEMA.write_text("{}")
    monkeypatch.setattr("sys.argv", ["generate.py", "--check"])
    assert generate.main() == 1
    assert "page.md: stale; run `make docs`" in capsys.readouterr().out
    assert "old" in page.read_text()
    monkeypatch.setattr("sys.argv", ["generate.py"])
    assert generate.main() == 0
    text = page.read_text()
    assert text.startswith("a\n<!-- generated: strategies -->\n| strategy |")
    assert text.endswith("|\n<!-- /generated -->\nz\n")
    capsys.readouterr()
    assert generate.main() == 0
    assert not capsys.readouterr().out


def test_every_generated_part_stands_somewhere(generate) -> None:
    used = set()
    for page in generate.PAGES:
        used |= {match[2] for match in generate.PART.finditer(page.read_text(encoding="utf-8"))}
    assert used == set(generate.PARTS)


def test_every_key_of_a_recipe_has_a_meaning(generate) -> None:
    """The last cell of a row comes from the field's `description`."""
    parts = [name for name in generate.PARTS if name.endswith("keys")]
    rows = [row for name in parts for row in generate.PARTS[name]().splitlines()[2:]]
    assert len(rows) > 80
    missing = [row for row in rows if row.endswith("|  |")]
    assert not missing, "no description:\n" + "\n".join(missing)


def test_the_readme_names_every_recipe_and_strategy_and_task() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = {*registry.names("strategies"), *registry.names("tasks")}
    names |= {path.stem for path in (ROOT / "recipes").glob("*.yaml")} - {"letters_pretrain"}
    assert not {name for name in names if f"`{name}`" not in text}
    assert len(text.splitlines()) <= 130


def test_every_section_and_every_switch_of_speed_is_described() -> None:
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert not {key for key in recipe.Recipe.model_fields if f"`{key}" not in text}
    text = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    assert described == set(recipe.Recipe.model_fields["speed"].annotation.model_fields)
