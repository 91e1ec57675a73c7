"""`evaluation.target_oracle`: what choosing by the labels of a target would have given."""

import json

import pytest
import yaml
from grafting import write_recipe

from pipelines import recipe as recipes
from pipelines.core.errors import RecipeError
from pipelines.report.run_folder import RunFolder
from pipelines.workflow import run as workflow
from pipelines.workflow.prepare import prepare

ORACLE = {"evaluation": {"target_oracle": True}}
STEPS = {"max_steps": 12, "eval_strategy": "steps", "eval_steps": 4, "save_steps": 4}


def load(folder, checkpoint, data, target=None, **sections):
    """A recipe whose target is a table of the same kind."""
    file = write_recipe(folder, checkpoint, data, **sections)
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    other = {"source": "files", "path": str(target or data / "validation.csv")}
    values["data"]["target"] = other
    return recipes.Recipe.from_dict(values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, text_checkpoint, text_data) -> RunFolder:
    """A run that asked for the oracle."""
    path = tmp_path_factory.mktemp("oracle")
    sections = {"adaptation": "deep_coral", "training": {**STEPS, "learning_rate": 2e-3}}
    return workflow.run(load(path, text_checkpoint, text_data, **sections, **ORACLE))


def metrics(folder):
    return json.loads(folder.metrics.read_text(encoding="utf-8"))


def test_each_evaluation_scores_the_target_and_the_best_is_named(folder):
    history = [json.loads(line) for line in folder.history.read_text().splitlines()]
    scores = {e["step"]: e["eval_target_accuracy"] for e in history if "eval_target_accuracy" in e}
    assert [*scores] == [4, 8, 12]
    oracle = metrics(folder)["target_oracle"]
    assert oracle["accuracy"] == max(scores.values()) == scores[oracle["step"]]
    # validation is of the same kind here, so that the score of the end is that of the last step
    assert oracle["saved"] == {"step": 12, "accuracy": scores[12]}
    assert scores[12] == metrics(folder)["target"]["accuracy"]
    assert (oracle["evaluations"], oracle["of"]) == (3, 3)
    assert oracle["rows"] == metrics(folder)["examples"]["target"]
    card = (folder.model / "README.md").read_text(encoding="utf-8")
    assert f"For an oracle, 3 evaluations while training scored {oracle['rows']} rows" in card
    assert "used once" not in card


def test_it_chooses_nothing(folder, tmp_path, text_checkpoint, text_data):
    sections = {"adaptation": "deep_coral", "training": {**STEPS, "learning_rate": 2e-3}}
    without = workflow.run(load(tmp_path, text_checkpoint, text_data, **sections))
    assert metrics(without)["target_oracle"] is None
    for name in ("validation", "test", "target"):
        assert metrics(without)[name] == metrics(folder)[name]
    assert metrics(without)["training"]["chosen"] == metrics(folder)["training"]["chosen"]
    assert "used once" in (without.model / "README.md").read_text(encoding="utf-8")


def test_the_summary_has_a_line(tmp_path, text_checkpoint, text_data, capsys):
    """Without an adaptation, too."""
    workflow.run(load(tmp_path, text_checkpoint, text_data, training=STEPS, **ORACLE))
    assert "oracle: 3 evaluations while training scored " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"strategy": "linear_probe"}, "strategy 'linear_probe' has no checkpoints"),
        ({"training": {"eval_strategy": "no"}}, "training.eval_strategy is 'no'"),
        ({"averaging": {"soup": {"seed": [1, 2]}}}, "averaging.soup have evaluations of their own"),
        ({"adaptation": "tent"}, "'tent' changes the model after the last evaluation"),
    ],
)
def test_what_has_no_checkpoints_to_choose_from_is_refused(
    tmp_path, text_checkpoint, text_data, sections, message
):
    with pytest.raises(RecipeError, match=message):
        load(tmp_path, text_checkpoint, text_data, **sections, **ORACLE)


def test_it_needs_a_target(tmp_path, text_checkpoint, text_data):
    with pytest.raises(RecipeError, match=r"evaluation\.target_oracle.*labeled rows of a target"):
        recipes.load(write_recipe(tmp_path, text_checkpoint, text_data, **ORACLE))


def test_a_target_without_labels_has_none_to_choose_by(tmp_path, text_checkpoint, text_data):
    target = tmp_path / "texts.csv"
    target.write_text("text\nfine\nbad\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"target_oracle: data\.target has no labels"):
        prepare(load(tmp_path, text_checkpoint, text_data, target, **ORACLE))


def test_rows_are_set_aside_instead_of_dealt_to_folds(tmp_path, text_checkpoint, text_data):
    """Evaluations while training look at them."""
    table, target = text_data / "train.csv", text_data / "validation.csv"
    recipe = load(tmp_path, text_checkpoint, table, target, **ORACLE)
    assert prepare(recipe).folds is None
