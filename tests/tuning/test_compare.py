"""graft compare: what it runs and what not again, with which budget and rows; finished runs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from example_run import LOGITS, TWO, evidence, finished, predicted
from grafting import write_recipe

import pipelines as graft
from pipelines.cli import main
from pipelines.core.errors import ModelError, RecipeError
from pipelines.report import comparison_pictures, results
from pipelines.tuning.comparison import arms as comparison_arms
from pipelines.tuning.comparison.budget import Budgets
from pipelines.tuning.comparison.folder import ComparisonFolder
from pipelines.tuning.comparison.request import ComparisonRequest
from pipelines.tuning.comparison.runner import ComparisonRunner
from pipelines.tuning.search import space_reader
from pipelines.workflow import run as workflow

SCORES = {"scratch": (0.5, 0.55, 0.52), "full": (0.7, 0.72, 0.78)}


@pytest.fixture
def config(text_checkpoint, text_data, tmp_path) -> Path:
    return write_recipe(tmp_path, text_checkpoint, text_data, training={"num_train_epochs": 2})


@pytest.fixture
def measured(monkeypatch) -> list[tuple[str, int]]:
    """Let runs have SCORES instead of being trained; the strategies and seeds that were run."""
    calls = []

    def measure(recipe, folder):
        strategy, seed = recipe.strategy.name, recipe.seed
        calls.append((strategy, seed))
        score = SCORES[strategy][seed - 42]
        results.write(folder, evidence(validation={"accuracy": score}, strategy=strategy))

    monkeypatch.setattr(workflow, "measure", measure)
    return calls


def compare(capsys, *words, code=0) -> list[str]:
    """The lines that `graft compare` prints; those of its error where it fails."""
    assert main(["compare", *map(str, words)]) == code
    out, error = capsys.readouterr()
    return (error if code else out).splitlines()


def table(text) -> list[list[str]]:
    """Name, mean and deviation of each row: times differ."""
    return [line.split()[:3] for line in text if line.startswith(("ridge ", "logistic", "bag "))]


def runner(config, *items, fractions=(1.0,), **changes) -> ComparisonRunner:
    """A comparison that was not begun."""
    request = ComparisonRequest(str(config), (), space_reader.load(items), 2, fractions)
    request = replace(request, **changes)
    arms = comparison_arms.of(request)
    folder = ComparisonFolder(config.parent / "comparison")
    return ComparisonRunner(request, arms, folder, Budgets(arms, 42, {}))


def test_a_probe_is_compared_and_nothing_is_run_twice(config, capsys, tmp_path):
    words = [config, "--vary", "strategy.head=ridge,logistic_regression", "--seeds", "1"]
    text = compare(capsys, *words, "strategy=linear_probe", "calibration=null")
    assert [line[:11] for line in text if line.startswith("run ")] == [
        f"run {n} of 2 " for n in (1, 2)
    ]
    folder = tmp_path / "runs" / "compare" / "recipe" / "1"
    numbers = json.loads((folder / "comparison.json").read_text())
    assert [arm["name"] for arm in numbers["arms"]] == ["ridge", "logistic_regression"]
    assert numbers["arms"][1]["reference"] == "ridge"
    assert numbers["seeds"] == [42]
    first = numbers["runs"][0]
    assert first["folder"] == "cells/1-ridge/42"
    assert first["trainable"] > 0
    assert first["seconds"] > 0
    assert first["test"] is not None
    assert {*first["floors"]} == {"baseline", "bag of words"}
    if Path("/proc/self/clear_refs").exists():
        assert first["peak_memory"] > 2**20
    cell = folder / "cells" / "1-ridge" / "42"
    assert not (cell / "model").exists()
    assert not (cell / "checkpoints").exists()

    (cell / "metrics.json").unlink()  # as if it had been stopped
    again = compare(capsys, *words, "strategy=linear_probe", "calibration=null")
    assert "1 of them are done" in again
    assert [line for line in again if line.startswith("run ")] == ["run 1 of 2  ridge, seed 42"]
    assert table(again) == table(text)


def test_strategies_get_a_verdict_beside_scratch_whatever_their_order(config, capsys, measured):
    text = compare(capsys, config, "--vary", "strategy=full,scratch")
    assert measured == [(s, seed) for seed in (42, 43, 44) for s in ("full", "scratch")]
    assert any(line.startswith("transfer, full: positive: better by +0.2100") for line in text)
    assert any(line.startswith("next: keep ") for line in text)
    rows = [line.split() for line in text if line.startswith(("full ", "scratch "))]
    assert [row[:2] for row in rows] == [["full", "0.7333"], ["scratch", "0.5233"]]
    assert text[-1] == f"to save its model: graft run {config} strategy=full"
    assert any("; 2 epochs in steps of 16 examples" in line for line in text)


def test_more_seeds_go_on_in_the_same_folder_and_another_comparison_has_its_own(
    config, capsys, measured, tmp_path
):
    vary = [config, "--vary", "strategy=full,scratch", "--seeds"]
    compare(capsys, *vary, 1)
    text = compare(capsys, *vary, 2)
    assert "2 of them are done" in text
    assert measured[2:] == [("full", 43), ("scratch", 43)]
    compare(capsys, *vary, 1, "data.limit.train=40")
    folders = tmp_path / "runs" / "compare" / "recipe"
    assert sorted(path.name for path in folders.iterdir()) == ["1", "2"]
    assert main(["runs", str(tmp_path / "runs")]) == 0  # those of a comparison are its own
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{folders / '1'}: a comparison (graft runs {folders / '1'} lists its runs)"
    assert second.startswith(f"{folders / '2'}: a comparison")


def test_what_is_damaged_is_compared_again(config, capsys, measured, tmp_path):
    words = ["compare", str(config), "--vary", "strategy=full,scratch", "--seeds", "1"]
    folder = tmp_path / "runs" / "compare" / "recipe" / "1"
    assert main(words) == 0
    (folder / "cells" / "1-full" / "42" / "metrics.json").write_text("{")
    assert main(words) == 0
    assert "1 of them are done" in capsys.readouterr().out
    assert measured[2:] == [("full", 42)]
    (folder / "comparison.json").write_text("{")
    assert main(words) == 0
    assert "1/comparison.json: damaged" in capsys.readouterr().err
    assert len(measured) == 5


def test_a_run_that_fails_is_a_line_and_the_others_go_on(config, capsys, measured, monkeypatch):
    measure = workflow.measure

    def failing(recipe, folder):
        if (recipe.strategy.name, recipe.seed) == ("full", 42):
            raise ModelError("diverged:\nlower the rate")
        measure(recipe, folder)

    monkeypatch.setattr(workflow, "measure", failing)
    vary = [config, "--vary", "strategy=full,scratch"]
    text = compare(capsys, *vary)
    assert "full, seed 42: diverged: lower the rate" in text
    assert sum(line.startswith("full ") for line in text) == 1
    monkeypatch.setattr(workflow, "measure", measure)
    text = compare(capsys, *vary)  # what failed is tried again
    assert "5 of them are done" in text
    assert not any("diverged" in line for line in text)


def test_where_every_run_fails_the_first_reason_is_the_message(config, capsys, monkeypatch):
    def failing(recipe, folder):
        raise ModelError("there is no such checkpoint")

    monkeypatch.setattr(workflow, "measure", failing)
    (message,) = compare(capsys, config, "--vary", "strategy=full,lora", "--seeds", 1, code=2)
    assert message.endswith("no run was finished: there is no such checkpoint")


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("missing", "no such folder; expected a Hub id or a folder with config.json"),
        ("empty", "not a checkpoint for text_classification: "),
    ],
)
def test_a_checkpoint_of_a_later_arm_that_is_none_is_refused_before_the_first_trains(
    config, text_checkpoint, capsys, measured, tmp_path, folder, reason
):
    (tmp_path / "empty").mkdir()
    models = f"model={text_checkpoint},{tmp_path / folder}"
    (*_, message) = compare(capsys, config, "--vary", models, "strategy=full", code=2)
    assert message.startswith(f"error: {folder}: {tmp_path / folder}: {reason}")
    assert not measured


def test_a_mistake_in_the_data_is_one_message_before_any_run(config, capsys, measured):
    words = [config, "--vary", "strategy=full,scratch", "data.columns.label=stars"]
    (message,) = compare(capsys, *words, code=2)
    assert "'stars'" in message
    assert measured == []


def test_all_arms_that_train_by_steps_train_as_long(config):
    values = yaml.safe_load(config.read_text())
    del values["training"]["num_train_epochs"]
    values["training"]["learning_rate"] = 1e-5
    config.write_text(yaml.safe_dump(values))
    comparison = runner(config, "strategy=scratch,linear_probe,lora,full", num_seeds=1)
    scratch, probe, lora, full = map(comparison.recipe, comparison.cells)
    # 64 rows in steps of 16 examples, and 90 steps are needed
    for recipe in (scratch, lora, full):
        assert recipe.training["num_train_epochs"] == 23
        assert recipe.training["eval_steps"] == 16
        assert recipe.early_stopping is None
    assert "learning_rate" not in scratch.training  # what suits pretrained weights
    assert lora.training["learning_rate"] == 1e-5
    assert "num_train_epochs" not in probe.training
    assert {recipe.data.folds for recipe in (scratch, probe, lora, full)} == {0}
    assert [r.simple_model for r in (scratch, probe, lora, full)] == [True, False, False, False]


def test_a_length_that_is_compared_is_each_arms_own(config):
    comparison = runner(config, "training.num_train_epochs=1,3", num_seeds=1)
    recipes = [*map(comparison.recipe, comparison.cells)]
    assert [recipe.training["num_train_epochs"] for recipe in recipes] == [1, 3]
    assert {recipe.data.folds for recipe in recipes} == {"auto"}


def test_shares_of_train_are_the_same_rows_for_all_arms_of_a_seed(config):
    comparison = runner(config, "strategy=full,linear_probe", fractions=(0.25, 1.0))
    cells = [*comparison.cells]
    assert [cell.fraction for cell in cells] == [1.0] * 4 + [0.25] * 4
    recipes = [comparison.recipe(cell) for cell in cells]
    assert [recipe.data.limit.train for recipe in recipes] == [None] * 4 + [16] * 4
    assert [recipe.seed for recipe in recipes[4:]] == [42, 42, 43, 43]
    assert str(cells[4].run).endswith("cells/1-full_0.25/42")


def test_arms_are_compared_with_scratch_of_the_same_values(config):
    comparison = runner(config, "strategy=full,scratch", "training.weight_decay=0.0,0.1")
    references = {arm.shown.name: arm.shown.reference for arm in comparison.arms}
    assert references == {
        "full, training.weight_decay=0.0": "scratch, training.weight_decay=0.0",
        "full, training.weight_decay=0.1": "scratch, training.weight_decay=0.1",
        "scratch, training.weight_decay=0.0": None,
        "scratch, training.weight_decay=0.1": None,
    }
    assert all(
        arm.shown.is_against_scratch == ("full" in arm.shown.name) for arm in comparison.arms
    )


def test_checkpoints_are_named_without_the_folders_of_this_machine(config, checkpoint):
    models = [str(checkpoint("bert")), str(checkpoint("roberta"))]
    comparison = runner(config, f"model={','.join(models)}")
    assert [arm.shown.name for arm in comparison.arms] == ["bert", "roberta"]
    assert [arm.recipe.model.checkpoint for arm in comparison.arms] == models
    assert comparison.arms[1].folder == "2-roberta"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--vary", "strategy=full,lorra"], "unknown strategy 'lorra'; did you mean 'lora'?"),
        (["--vary", "strategy=full"], "full: expected several values"),
        (["--vary", "training.learning_rate=1e-5..1e-3"], "is a range; expected values to compare"),
        (["--vary", "data.path=a,b"], "decides how trials are scored"),
        (["--vary", "strategy=full,lora", "--seeds", "0"], "--seeds 0: expected a number from 1"),
        (["--vary", "strategy=full,lora", "--fractions", "2"], "--fractions 2: expected shares"),
        (["--vary", "strategy=full,lora", "--fractions", "a"], "--fractions a: expected shares"),
        (["--vary", "x.yaml"], "--vary x.yaml: neither key=values nor a readable file"),
        ([], "nothing varies; expected --vary"),
        (["training.seed=1"], "nothing varies; expected --vary"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_run(words, reason, config, capsys, tmp_path):
    (message,) = compare(capsys, config, *words, code=2)
    assert reason in message
    assert not (tmp_path / "runs").exists()


def test_in_python_values_are_a_mapping(config, measured):
    recipe = graft.load(config)
    compared = graft.compare(recipe, {"strategy": ["scratch", "full"]}, seeds=2)
    assert [arm.name for arm in compared.arms] == ["scratch", "full"]
    assert compared.mean("full", 1.0) == pytest.approx(0.71)
    with pytest.raises(RecipeError, match="expected what varies"):
        graft.compare(config)
    with pytest.raises(RecipeError, match="leave out vary"):
        graft.compare([config], {"strategy": ["scratch", "full"]})
    with pytest.raises(RecipeError, match="expected a key as text"):
        graft.compare(recipe, {"strategy..r": [1, 2]})


def finished_with(root: Path, logits: np.ndarray, **changes):
    """A finished run with predictions of its own; the recipe is the same."""
    rows = {"validation": predicted(TWO, logits, [0, 1, 1])}
    return finished(root, predictions=rows, **changes).path


def test_finished_runs_are_compared_row_by_row(tmp_path, capsys):
    score = {"accuracy": 1.0}
    one = finished_with(tmp_path, LOGITS)
    other = finished_with(tmp_path, np.array([[2.0, -2.0], [-1, 1], [-1, 0]]), validation=score)
    text = compare(capsys, one, other)
    assert [line.split()[0] for line in text if "bert_sst2/" in line][:2] == [
        "bert_sst2/1",
        "bert_sst2/2",
    ]
    assert any("paired by row of one seed" in line for line in text)
    numbers = json.loads("\n".join(compare(capsys, one, other, "--json")))
    assert numbers["rows"][1]["difference"]["mean"] == pytest.approx(1 / 3)
    assert numbers["rows"][1]["difference"]["verdict"] is None


def test_finished_runs_of_one_recipe_are_an_arm(tmp_path, capsys):
    runs = []
    for strategy, scores in SCORES.items():
        for seed, score in enumerate(scores):
            run = finished(tmp_path, validation={"accuracy": score}, strategy=strategy)
            values = yaml.safe_load(run.recipe.read_text())
            values |= {"strategy": strategy, "training": {"seed": seed}}
            run.recipe.write_text(yaml.safe_dump(values))
            runs.append(run.path)
    text = compare(capsys, *runs)
    assert any(line.startswith("transfer, full: positive: better by +0.2100") for line in text)


def test_finished_runs_that_have_no_score_in_common_are_refused(tmp_path, capsys):
    one, other = finished_with(tmp_path, LOGITS), finished_with(tmp_path, LOGITS)
    (message,) = compare(capsys, one, one, code=2)
    assert "stands there twice" in message
    (message,) = compare(capsys, one, other, "--seeds", 3, code=2)
    assert "--seeds is for a recipe with --vary" in message
    path = other / "predictions" / "validation.csv"
    path.write_text(path.read_text().replace("0,negative", "0,positive"))
    (message,) = compare(capsys, one, other, code=2)
    assert "validated on other rows than" in message
    path.unlink()
    for pair in ((one, other), (other, one)):
        (message,) = compare(capsys, *pair, code=2)
        assert f"{path}: missing or empty" in message
    path = other / "metrics.json"
    path.write_text(path.read_text().replace('"main_metric": "accuracy"', '"main_metric": "f1"'))
    (message,) = compare(capsys, one, other, code=2)
    assert "its main_metric is f1, and that of" in message
    path.unlink()
    (message,) = compare(capsys, one, other, code=2)
    assert "not finished" in message


def test_pictures_have_a_band_for_each_arm_that_took_steps(tmp_path, config, measured, monkeypatch):
    compared = graft.compare(graft.load(config), {"strategy": ["scratch", "full"]}, seeds=2)
    drawn = []
    monkeypatch.setattr(comparison_pictures, "style_axes", drawn.append)
    comparison_pictures.draw_curves(tmp_path / "curves.png", compared)
    runs = tuple(replace(run, fraction=0.1, examples={"train": 9}) for run in compared.runs)
    both = replace(compared, runs=(*compared.runs, *runs))
    comparison_pictures.draw_efficiency(tmp_path / "efficiency.png", both)
    for figure in drawn:
        (axes,) = figure.axes
        assert len(axes.collections) == 2  # bands
        assert axes.get_legend_handles_labels()[1][:2] == ["scratch", "full"]
