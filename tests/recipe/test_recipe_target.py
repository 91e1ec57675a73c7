"""`data.target` in a recipe: a source of its own, without what only train has."""

import re
from pathlib import Path
from typing import Any

import pytest

from pipelines import recipe
from pipelines.core.errors import RecipeError
from pipelines.recipe import Recipe


def with_target(**target: Any) -> Recipe:
    data = {"source": "files", "path": "a.csv", "target": target}
    values = {"task": "text_classification", "model": "some/model", "data": data}
    return Recipe.from_dict(values)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"path": "b.csv"}, "data.target: should be keys and values, such as {source: files"),
        ({"source": "flies"}, "data.target: source: unknown source 'flies'; did you mean 'files'?"),
        ({"source": "files", "pth": "b"}, "'data.target.pth'; did you mean 'path'?"),
        ({"source": "files", "path": "b", "folds": 3}, "data.target: folds: rows of a target are"),
        (
            {"source": "files", "path": "b", "splits": {"validation": 0.2}},
            "data.target: validation: a target validates nothing",
        ),
        (
            {"source": "files", "path": "b", "limit": {"trian": 3}},
            "unknown key 'data.target.limit.trian'; did you mean 'train'?",
        ),
    ],
)
def test_a_mistake_in_a_target_is_one_message(target: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        with_target(**target)


def test_a_target_has_the_keys_of_its_own_source_and_is_read_back_as_it_was_written() -> None:
    loaded = with_target(source="hub", path="owner/other", revision="v2")
    values = loaded.model_dump(mode="json")
    assert values["data"]["target"]["revision"] == "v2"
    assert Recipe.from_dict(values).data == loaded.data


def test_tasks_without_one_prediction_for_an_example_have_no_target() -> None:
    target = {"source": "files", "path": "b"}
    data = {"source": "files", "path": "a.csv", "target": target}
    with pytest.raises(RecipeError, match=r"data\.target: token_classification does not predict"):
        Recipe.from_dict({"task": "token_classification", "model": "some/model", "data": data})


def test_a_target_is_read_beside_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "other.csv").write_text("text,label\n", encoding="utf-8")
    path = tmp_path / "recipes" / "recipe.yaml"
    path.write_text(
        "task: text_classification\nmodel: some/model\n"
        "data: {source: files, path: a.csv, target: {source: files, path: other.csv}}\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    loaded = recipe.load(path).data
    assert loaded.model_dump()["target"]["path"] == str(tmp_path / "recipes" / "other.csv")
