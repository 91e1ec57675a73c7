"""Of few rows `auto` cross-validates strategies, and takes the best."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from datasets import Dataset
from grafting import prepare, problem, write_recipe

from pipelines.cli import main
from pipelines.core.errors import DivergedError, Interrupted, RecipeError
from pipelines.core.registry import find
from pipelines.recipe import load
from pipelines.report.run_folder import RunFolder
from pipelines.strategies.choosing.comparable import ENTRANTS, in_time
from pipelines.training.length import Length
from pipelines.workflow.out_of_fold import OutOfFold
from pipelines.workflow.prepare import prepare as prepare_recipe
from pipelines.workflow.race import race as compare
from pipelines.workflow.race_course import Course
from pipelines.workflow.race_scores import NO_TIME, Entrant
from pipelines.workflow.stopped import advising

SHORT = {"max_steps": 2, "per_device_train_batch_size": 4}


LENIENT = """
import evaluate
from datasets import Features, Value


class Lenient(evaluate.Metric):
    def _info(self):
        features = Features({"predictions": Value("int32"), "references": Value("int32")})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        return {"lenient": 1.0}
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Use a cache of this test's own."""
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def race(checkpoint, few, tmp_path, capsys):
    """race(strategy): a finished run, and what it printed."""

    def race(metrics=(), **strategy):
        training = {**SHORT, "output_dir": str(tmp_path / "runs")}
        sections = {"strategy": {"name": "auto", **strategy}, "training": training}
        sections |= {"metrics": list(metrics)} if metrics else {}
        path = write_recipe(tmp_path, checkpoint("bert"), few, **sections)
        assert main(["run", str(path)]) == 0
        return RunFolder(tmp_path / "runs" / "recipe" / "1"), capsys.readouterr().out

    return race


def test_the_best_out_of_fold_becomes_the_run(race):
    run, printed = race(entrants=["full", "linear_probe"])
    table = dict(re.findall(r"^  (\w+) +([\d.]+) ± ", printed, flags=re.MULTILINE))
    assert set(table) == {"linear_probe", "full"}
    recipe, metrics = yaml.safe_load(run.recipe.read_text()), json.loads(run.metrics.read_text())
    chosen = recipe["strategy"]["name"]
    finished = {name for name in table if "left out after" not in line_of(printed, name)}
    assert chosen == max(finished, key=lambda name: float(table[name]))
    assert f"auto: {chosen}; reason: accuracy " in printed
    assert "the folds also chose the strategy, so" in printed
    simple = metrics["simple_model"]["validation"]["accuracy"]
    assert f"  bag of words   {simple:.4f}" in printed
    choice = json.loads(run.lock.read_text())["auto"]
    assert choice["reason"].startswith("accuracy ")
    assert choice["compared"] == ["full", "linear_probe"]
    assert metrics["folds"]["count"] == 5
    assert metrics["examples"] == {"train": 20, "test": 20}


def line_of(printed, name):
    """The line of the table about a strategy."""
    return next(line for line in printed.splitlines() if line.startswith(f"  {name} "))


def test_a_run_that_is_stopped_before_its_first_checkpoint_goes_on(
    checkpoint, few, tmp_path, monkeypatch, capsys
):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.workflow.run.race", stop)
    path = write_recipe(tmp_path, checkpoint("bert"), few, strategy="auto", training=SHORT)
    for override in ([], ["training.resume_from_checkpoint=true"]):
        assert main(["run", str(path), *override]) == 130
    out, err = capsys.readouterr()
    again = "finished passes are kept, and finished folds"
    assert err == f"interrupted; to go on, run it again: {again}\n" * 2
    run = tmp_path / "runs" / "recipe" / "1"
    assert f"{run}: it was stopped before its first checkpoint, and begins anew: {again}" in out
    assert [*run.parent.iterdir()] == [run]
    monkeypatch.undo()
    # training has ended, and what follows is stopped
    checkpoint_folder = RunFolder(run).checkpoints / "checkpoint-2"
    checkpoint_folder.mkdir(parents=True)
    (checkpoint_folder / "trainer_state.json").write_text("{}")
    with_key = r"with training\.resume_from_checkpoint=true$"
    with pytest.raises(Interrupted, match=with_key), advising(RunFolder(run)):
        stop()
    RunFolder(run).metrics.write_text("{}")
    is_done = "1 is done, and the model is saved"
    with pytest.raises(Interrupted, match=is_done), advising(RunFolder(run)):
        stop()


@pytest.mark.slow
def test_nothing_is_trained_to_beat_one_without_a_mistake(race, tmp_path):
    lenient = tmp_path / "lenient.py"
    lenient.write_text(LENIENT)
    run, printed = race(entrants=["linear_probe", "full"], metrics=[str(lenient)])
    assert yaml.safe_load(run.recipe.read_text())["strategy"]["name"] == "linear_probe"
    assert line_of(printed, "full").endswith("0 folds: linear_probe makes no mistake")


@pytest.mark.slow
def test_without_time_only_the_simplest_is_tried(race):
    run, printed = race(minutes=1e-6, entrants=["full", "lora"])
    assert yaml.safe_load(run.recipe.read_text())["strategy"]["name"] == "full"
    assert "no time is left" in line_of(printed, "lora")


def test_entrants_follow_from_task_and_data(checkpoint, few, tmp_path):
    sections = {"strategy": "auto", "training": SHORT}
    prepared = prepare(tmp_path / "texts", checkpoint("bert"), few, **sections)
    assert prepared.recipe.strategy.entrants == ENTRANTS
    pairs = problem(tmp_path / "pairs", "pairs")
    (pairs / "validation.parquet").unlink()
    prepared = prepare(tmp_path / "recipe", checkpoint("bert"), pairs, **sections)
    # a pair of texts cannot be compared with another text
    assert prepared.recipe.strategy.entrants == tuple(n for n in ENTRANTS if n != "contrastive")


def test_without_time_to_compare_few_rows_have_what_folds_score_at_no_cost(
    checkpoint, few, tmp_path, capsys
):
    strategy = {"name": "auto", "minutes": 1e-9}
    prepared = prepare(tmp_path, checkpoint("bert"), few, strategy=strategy, training=SHORT)
    printed = capsys.readouterr().out
    assert "no time to compare by 5 folds: contrastive" in printed
    assert "auto: linear_probe alone, which folds score at no cost: a tenth of 20 rows" in printed
    assert "length:" not in printed  # nothing trains
    assert prepared.recipe.strategy.entrants == ("linear_probe",)
    assert len(prepared.targets["train"]) == 20


def repeat(table, times):
    """Write the rows of a table so many times, all of them different."""
    many = pd.concat([pd.read_csv(table)] * times, ignore_index=True)
    many["text"] += [f" {number}" for number in many.index]
    many.to_csv(table, index=False)


@pytest.mark.slow
def test_strategies_are_compared_on_more_rows_than_they_are_dealt_by_themselves(race, few):
    repeat(few / "train.csv", 16)
    run, printed = race(entrants=["full", "linear_probe"])
    assert "compares full, linear_probe on 5 folds of 320 rows" in printed
    table = set(re.findall(r"^  (\w+) +([\d.]+) ± ", printed, flags=re.MULTILINE))
    assert {name for name, _ in table} == {"full", "linear_probe"}
    metrics, recipe = json.loads(run.metrics.read_text()), yaml.safe_load(run.recipe.read_text())
    assert (metrics["folds"]["count"], recipe["data"]["folds"]) == (5, 5)
    assert metrics["examples"] == {"train": 320, "test": 20}


def test_without_time_to_compare_many_rows_are_set_aside_and_rules_choose(
    checkpoint, few, tmp_path, capsys
):
    repeat(few / "train.csv", 10)
    strategy = {"name": "auto", "minutes": 1e-9}
    prepared = prepare(tmp_path, checkpoint("bert"), few, strategy=strategy, training=SHORT)
    assert "auto: rows are set aside instead (data.folds=0)" in capsys.readouterr().out
    assert prepared.recipe.strategy.name == "linear_probe"
    assert prepared.recipe.data.folds == 0
    assert len(prepared.targets["train"]) == 180
    path = write_recipe(tmp_path, checkpoint("bert"), few, strategy=strategy, training=SHORT)
    assert main(["check", str(path), "data.folds=5"]) == 2
    assert "data.folds: 5: there is no time to compare strategies" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entrants", "message"),
    [
        (["linear_prob"], "'linear_prob': no such strategy; did you mean 'linear_probe'"),
        (["auto"], "'auto': no such strategy"),
        (["full", "peft"], r"strategy\.entrants: .*: 'peft' needs peft_type, and .*alone"),
        (["contrastive"], "strategy.entrants: 'contrastive': .*pair of texts"),
    ],
)
def test_entrants_that_cannot_are_refused(checkpoint, tmp_path, entrants, message):
    pairs = problem(tmp_path / "pairs", "pairs")
    (pairs / "validation.parquet").unlink()
    strategy = {"name": "auto", "entrants": entrants}
    with pytest.raises(RecipeError, match=message):
        prepare(tmp_path, checkpoint("bert"), pairs, strategy=strategy)


@pytest.mark.slow
def test_one_that_is_ahead_as_time_is_over_goes_through_the_other_folds(
    checkpoint, few, tmp_path, capsys
):
    """By two folds it would win: all of them say whether it does."""
    strategy = {"name": "auto", "entrants": ["linear_probe", "full"]}
    path = write_recipe(tmp_path, checkpoint("bert"), few, strategy=strategy, training=SHORT)
    course = Course(recipe := load(path), prepared := prepare_recipe(recipe, test=False), 300)
    course.enter("linear_probe")
    probe = course.leader.answers
    classes, two = np.eye(2)[prepared.targets["train"]], probe.by_fold[:2]
    lucky, unlucky = (
        [{row: each[row] for row in fold} for fold in two] for each in (classes, 1 - classes)
    )
    answers = OutOfFold(probe.score_of, tuple(lucky))
    behind = OutOfFold(probe.score_of, (*unlucky, *probe.by_fold[2:]))
    course.entrants[0] = replace(course.leader, answers=behind)
    course.entrants.append(Entrant("full", answers, seconds=1.0, reason=NO_TIME))
    course.give_time()
    full = course.entrants[1]
    assert answers.score == 1.0
    assert len(full.answers) == 5
    assert full.score == full.answers.score < 1.0
    assert full.seconds > 1.0
    assert "full is ahead of linear_probe on 2 folds, as no time is left" in capsys.readouterr().out


@pytest.mark.slow
def test_entrants_that_diverge_are_left_out(checkpoint, few, tmp_path, capsys):
    # `decay: auto` is a number only where the strategy is resolved, as for a run
    strategy = {"name": "auto", "entrants": ["layerwise_lr_decay", "linear_probe"]}
    training = {**SHORT, "learning_rate": 1e30, "warmup_steps": 0}
    path = write_recipe(
        tmp_path, checkpoint("bert"), few, strategy=strategy, training=training, simple_model=False
    )
    recipe = load(path)
    chosen = compare(recipe, prepared := prepare_recipe(recipe))
    assert chosen.recipe.strategy.name == "linear_probe"
    assert "left out after 0 folds: the model's outputs" in capsys.readouterr().out
    alone = strategy | {"entrants": ["layerwise_lr_decay"]}
    recipe = load(
        write_recipe(tmp_path, checkpoint("bert"), few, strategy=alone, training=training)
    )
    prepared = replace(prepared, recipe=prepared.recipe.replace(strategy=recipe.strategy))
    with pytest.raises(DivergedError, match="not finite"):
        compare(recipe, prepared)


def test_the_winner_is_trained_without_the_texts_that_the_entrants_did_without(
    checkpoint, few, tmp_path
):
    strategy = {"name": "auto", "entrants": ["linear_probe"]}
    path = write_recipe(tmp_path, checkpoint("bert"), few, strategy=strategy, simple_model=False)
    rows = pd.read_csv(few / "train.csv").head(4)
    tested_later = Dataset.from_pandas(rows)
    prepared = prepare_recipe(recipe := load(path), held_out=tested_later)
    chosen = compare(recipe, prepared)
    texts = chosen.data.train["text"]
    assert texts == prepared.data.train["text"]
    assert not {*texts} & {*rows["text"]}


def test_entrants_are_refused_where_a_split_validates(checkpoint, text_data, tmp_path):
    strategy = {"name": "auto", "entrants": ["full", "lora"]}
    with pytest.raises(RecipeError, match=r"strategy\.entrants: .* here a split validates"):
        prepare(tmp_path, checkpoint("bert"), text_data, strategy=strategy)


def test_check_names_the_entrants_and_trains_nothing(checkpoint, few, tmp_path, capsys):
    path = write_recipe(tmp_path, checkpoint("bert"), few, strategy="auto")
    assert main(["check", str(path)]) == 0
    assert (
        "a run compares linear_probe, contrastive, lp_ft, full on folds" in capsys.readouterr().out
    )


def test_a_learning_rate_is_found_for_one_strategy(checkpoint, few, tmp_path, capsys):
    path = write_recipe(tmp_path, checkpoint("bert"), few, strategy="auto")
    assert main(["lr-find", str(path)]) == 2
    assert "name one, such as strategy=full" in capsys.readouterr().err


@pytest.mark.parametrize(("rows", "share"), [(32, 1600 / 2880), (300, 6000 / 3000)])
def test_how_long_a_training_takes_follows_from_what_it_reads(rows, share):
    full = {"per_device_train_batch_size": 32, "num_train_epochs": 3}
    context = SimpleNamespace(
        minutes=10.0,
        targets=[0] * rows,
        training={},
        anatomy=SimpleNamespace(width=None, is_convolutional=False),
        labels=SimpleNamespace(num_labels=2),
        length=Length(num_rows=rows, num_classes=2, arguments=full, explicit=frozenset()),
    )
    minutes = {name: find("strategies", name)().training_minutes(context) for name in ENTRANTS}
    assert minutes["linear_probe"] == 0
    assert minutes["full"] == minutes["lp_ft"] == 10
    assert minutes["contrastive"] == pytest.approx(10 * share, rel=0.2)


@pytest.mark.parametrize(
    ("minutes", "expected", "late"),
    [
        (14, ("linear_probe", "lp_ft", "full"), ""),  # on 5 folds, and on 2
        (6, ("linear_probe", "lp_ft"), "full 10 min"),  # on 3 folds, and on 0
        (3, (), "lp_ft 10 min, full 10 min"),
    ],
)
def test_a_training_needs_time_for_two_folds_to_be_compared(minutes, expected, late, capsys):
    full = {"per_device_train_batch_size": 32, "num_train_epochs": 3}
    context = SimpleNamespace(
        minutes=2.0,
        num_folds=5,
        targets=[0] * 400,
        training={},
        anatomy=SimpleNamespace(width=None, is_convolutional=False),
        labels=SimpleNamespace(num_labels=2),
        length=Length(num_rows=400, num_classes=2, arguments=full, explicit=frozenset()),
    )
    assert in_time(context, ("linear_probe", "lp_ft", "full"), minutes) == expected
    printed = capsys.readouterr().out
    assert (f"no time to compare by 5 folds: {late}; all" in printed) == bool(late)
