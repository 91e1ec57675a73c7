"""What tests of recipes have in common."""

from pathlib import Path

import pytest
from recipe_text import BASE, Load, Problems

from pipelines import recipe
from pipelines.core.errors import RecipeError
from pipelines.recipe import Recipe


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sst2.yaml"


@pytest.fixture
def load(file: Path) -> Load:
    """load(text, *overrides): the recipe that stands in `file`."""

    def load(text: str = BASE, *overrides: str) -> Recipe:
        file.write_text(text, encoding="utf-8")
        return recipe.load(file, overrides)

    return load


@pytest.fixture
def problems(load: Load) -> Problems:
    """problems(text, *overrides): the lines that say what is wrong."""

    def problems(text: str = BASE, *overrides: str) -> list[str]:
        with pytest.raises(RecipeError) as refusal:
            load(text, *overrides)
        return str(refusal.value).splitlines()

    return problems
