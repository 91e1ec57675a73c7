"""The shipped recipes and what starts them, and which file a recipe's name means."""

from pathlib import Path

import pytest
import yaml

from pipelines.core import recipe_files
from pipelines.core.errors import RecipeError

ROOT = Path(__file__).parents[2]


def test_the_recipes_are_those_of_the_checkout() -> None:
    recipes = recipe_files.shipped()
    assert len(recipes) >= 24
    folder = ROOT / "recipes"
    launch = {path for path in recipe_files.launch_files().values() if path.suffix == ".yaml"}
    assert len(launch) >= 7
    assert not launch & {*recipes.values()}
    assert {*recipes.values()} | launch == {*folder.rglob("*.yaml")}
    assert [*recipes] == sorted(recipes)


@pytest.mark.parametrize("name", ["quickstart", "quickstart.yaml"])
def test_a_recipe_is_found_by_its_name_from_any_folder(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert recipe_files.resolve(name) == ROOT / "recipes" / "quickstart.yaml"
    (tmp_path / "quickstart").mkdir()  # a folder is no recipe
    assert recipe_files.resolve(name) == ROOT / "recipes" / "quickstart.yaml"
    monkeypatch.chdir(ROOT)
    assert recipe_files.resolve(name) == Path("recipes/quickstart.yaml")


def test_a_file_that_exists_wins(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart.yaml").touch()
    assert recipe_files.resolve("quickstart") == Path("quickstart.yaml")
    assert recipe_files.resolve("quickstart.yaml") == Path("quickstart.yaml")
    (tmp_path / "quickstart").touch()
    assert recipe_files.resolve("quickstart") == Path("quickstart")


def test_what_is_no_recipe(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("quikstart", "quikstart.yaml"):
        with pytest.raises(RecipeError) as refused:
            recipe_files.resolve(name)
        message = str(refused.value)
        assert message.startswith(f"{name}: no such file, and no recipe of that name; did you mean")
        assert "did you mean 'quickstart'? nearest of " in message
        assert message.endswith("; `graft list` prints all")
        assert message.count(", ") < 10  # the nearest names, not all
    # with a folder before it, a path is a path
    assert recipe_files.resolve("here/quickstart") == Path("here/quickstart")
    assert recipe_files.resolve("./quickstart") == Path("./quickstart")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "recipes" / "launch").glob("*.yaml")), ids=lambda path: path.stem
)
def test_accelerate_reads_every_launch_file(path):
    """Those for accelerate; the one for Kubernetes is two documents of its own."""
    from accelerate.commands.config.config_args import load_config_from_file

    if path.stem == "kubernetes":
        kinds = [each["kind"] for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
        assert kinds == ["Service", "Job"]
        return
    config = load_config_from_file(str(path))
    assert config.num_processes >= 1
    assert path.stem != "several_machines" or config.num_machines == 2
