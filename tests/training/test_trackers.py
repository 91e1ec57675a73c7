"""training.report_to: what is missing is refused at once, and a comparison's runs are a group."""

import importlib.util
import json
import os
from pathlib import Path

import pytest
from grafting import write_recipe

from pipelines.cli import main
from pipelines.training import trackers

SMALL = {"max_steps": 2, "logging_steps": 1, "eval_strategy": "no"}


def config(tmp_path: Path, checkpoint: Path, data: Path, **training: object) -> Path:
    return write_recipe(tmp_path, checkpoint, data, training={**SMALL, **training})


def needs(name: str) -> pytest.MarkDecorator:
    is_missing = importlib.util.find_spec(name) is None
    return pytest.mark.skipif(is_missing, reason=f"{name} is not installed")


MISSING = [name for name in trackers.MODULES if importlib.util.find_spec(name) is None]


@pytest.mark.parametrize("name", MISSING)
def test_what_is_not_installed_is_refused_with_what_installs_it(
    name: str, text_checkpoint, text_data, tmp_path, capsys
) -> None:
    recipe = str(config(tmp_path, text_checkpoint, text_data))
    expected = f"training.report_to: '{name}': its package is not installed (pip install "
    for words in (["run", recipe], ["compare", recipe, "--vary", "strategy=full,lora"]):
        assert main([*words, f"training.report_to={name}"]) == 2
        error = capsys.readouterr().err
        assert expected in error
        assert f"'graft-finetune[{name}]'" in error
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, []), ("none", []), ("wandb", ["wandb"]), (["none"], []), (["a", "b"], ["a", "b"])],
)
def test_trackers_are_a_name_or_several(value: object, expected: list[str]) -> None:
    assert trackers.names({"report_to": value}) == expected
    assert trackers.names({}) == []


def test_an_extra_installs_each_tracker() -> None:
    import tomllib

    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    for name in trackers.MODULES:
        assert any(line.startswith(name) for line in extras[name])


def test_a_group_holds_for_its_block_and_what_the_user_has_set_stays(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TAGS", '{"team": "a"}')
    monkeypatch.delenv("WANDB_RUN_GROUP", raising=False)
    with trackers.grouping({"report_to": "wandb"}, "compare/reviews/1"):
        assert os.environ["WANDB_RUN_GROUP"] == "compare/reviews/1"
        assert json.loads(os.environ["MLFLOW_TAGS"]) == {"team": "a"}
    assert "WANDB_RUN_GROUP" not in os.environ
    with trackers.grouping({}, "compare/reviews/1"):
        assert "WANDB_RUN_GROUP" not in os.environ


def test_a_name_that_is_no_tracker_is_left_to_the_library() -> None:
    trackers.check({"report_to": ["nobody", "none"]})


@needs("tensorboard")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_a_folder_in_each_run_of_a_comparison(
    text_checkpoint, text_data, tmp_path
) -> None:
    recipe = config(tmp_path, text_checkpoint, text_data, report_to="tensorboard")
    words = ["compare", str(recipe), "--vary", "strategy=full,scratch", "--seeds", "1"]
    assert main(words) == 0
    folder = tmp_path / "runs" / "compare" / "recipe" / "1"
    written = [path.relative_to(folder).parts[1] for path in folder.rglob("events.out.*")]
    assert sorted(written) == ["1-full", "2-scratch"]


@needs("trackio")
@pytest.mark.filterwarnings("ignore")
def test_runs_of_a_comparison_have_its_name_in_trackio(
    text_checkpoint, text_data, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    recipe = config(tmp_path, text_checkpoint, text_data, report_to="trackio", project="reviews")
    words = ["compare", str(recipe), "--vary", "strategy=full,scratch", "--seeds", "1"]
    assert main(words) == 0
    import trackio

    runs = [run.name for run in trackio.Api().runs("reviews")]
    assert sorted(runs) == [
        "compare/recipe/1/1-full/42",
        "compare/recipe/1/2-scratch/42",
    ]
