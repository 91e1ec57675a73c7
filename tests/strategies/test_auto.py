"""`strategy: auto` chooses by its rules, says why, and chooses nothing that does not fit."""

import json
import os
from random import Random

import numpy as np
import psutil
import pytest
import tiny
import yaml
from datasets import Dataset
from grafting import fit, prepare, problem, write_recipe
from PIL import Image

from pipelines import recipe
from pipelines.cli import main
from pipelines.core.errors import RecipeError
from pipelines.models.anatomy import dissect
from pipelines.report.run_folder import RunFolder
from pipelines.strategies.choosing import similarity
from pipelines.workflow import run as pipeline

SLOW = pytest.mark.slow
OPEN = {"num_train_epochs": None}  # as long as it takes


def write(folder, row, train=64, validation=16):
    """Tables of what `row(random)` gives: a text and its label."""
    folder.mkdir(exist_ok=True)
    for split, rows in {"train": train, "validation": validation, "test": 16}.items():
        random = Random(split)
        lines = [dict(zip(("text", "label"), row(random), strict=True)) for _ in range(rows)]
        Dataset.from_list(lines).to_parquet(folder / f"{split}.parquet")
    return folder


def obvious(random):
    """Words of one class, which any features tell apart."""
    label = random.choice([*tiny.CLASSES])
    return " ".join(random.choices(tiny.CLASSES[label], k=6)), label


def unrelated(random):
    """Words that have nothing to do with the label."""
    return " ".join(random.choices(tiny.FILLERS, k=6)), random.choice([*tiny.CLASSES])


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    return write(tmp_path_factory.mktemp("near"), obvious)


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    return write(tmp_path_factory.mktemp("far"), unrelated)


@pytest.fixture
def chosen(checkpoint, tmp_path):
    """chosen(data, …): strategy and averaging that `auto` comes to, and the reason."""

    def chosen(rows, /, *, family="bert", auto=None, **sections):
        strategy = {"name": "auto", **(auto or {})}
        sections = {"training": OPEN, **sections}
        prepared = prepare(tmp_path, checkpoint(family), rows, strategy=strategy, **sections)
        return prepared.recipe.strategy, prepared.recipe.averaging, prepared.reason

    return chosen


def measured(prepared):
    """The similarity of what was prepared."""
    anatomy = dissect(prepared.checkpoint.model, prepared.checkpoint.newly_initialized)
    groups = prepared.data.splits["train"].groups
    return similarity.measure(
        prepared.recipe.task,
        prepared.checkpoint,
        anatomy,
        prepared.data.labels,
        prepared.encoded["train"],
        bf16=False,
        groups=groups and groups.numbers,
    ).best


@pytest.mark.parametrize(
    "kind", ["single", pytest.param("several", marks=SLOW), pytest.param("number", marks=SLOW)]
)
def test_similarity_is_between_guessing_and_no_mistakes(tmp_path, checkpoint, kind):
    ready = prepare(tmp_path, checkpoint("bert"), problem(tmp_path / "data", kind))
    assert 0.1 < measured(ready) < 1


@pytest.mark.numerical
@pytest.mark.slow
def test_what_features_do_not_tell_is_not_similar(tmp_path, checkpoint, far, near):
    assert measured(prepare(tmp_path, checkpoint("bert"), far)) < 0.2
    assert measured(prepare(tmp_path, checkpoint("bert"), near)) > 0.9


@pytest.mark.numerical
@pytest.mark.slow
def test_what_tells_patients_apart_is_not_similar(tmp_path, checkpoint):
    # each patient has one text and one label, which the text of no other one shows
    rows = [{"text": tiny.FILLERS[i % 8], "label": i % 8 in (0, 1, 4, 6)} for i in range(64)]
    for split in tiny.NUM_ROWS:
        Dataset.from_list(rows).to_parquet(tmp_path / f"{split}.parquet")
    path = write_recipe(tmp_path / "run", checkpoint("bert"), tmp_path)
    alone, grouped = (
        measured(pipeline.prepare(recipe.load(path, overrides)))
        for overrides in ([], ["data.group=text", "data.columns={text: text, label: label}"])
    )
    assert alone > 0.9
    assert grouped < 0.5


@pytest.mark.numerical
@SLOW
def test_similarity_sees_each_answer_of_a_token_task(tmp_path, checkpoint):
    one, two = tiny.FILLERS[2], tiny.FILLERS[6]
    rows = [{"tokens": [one, two], "tags": ["A", "B"]}, {"tokens": [two], "tags": ["B"]}]
    for split in tiny.NUM_ROWS:
        Dataset.from_list(rows * 6).to_parquet(tmp_path / f"{split}.parquet")
    ready = prepare(tmp_path, checkpoint("bert"), tmp_path, task="token_classification")
    assert measured(ready) > 0.9  # a word has one tag


RARELY = {"per_device_train_batch_size": 2, "num_train_epochs": 2}  # 64 steps, few examples each


def test_few_examples_that_features_tell_apart_are_probed(chosen, near):
    strategy, averaging, reason = chosen(near, training=RARELY)
    assert strategy.name == "linear_probe"
    assert "64 examples, 32 per class" in reason
    assert "they suit the task" in reason
    assert not averaging.wise_ft


@pytest.mark.slow
def test_many_examples_and_far_ones_are_learned_from(chosen, tmp_path, far):
    often = {**RARELY, "num_train_epochs": 10}
    assert chosen(write(tmp_path, obvious, train=64), training=often)[0].name == "lp_ft"
    assert chosen(far)[0].name == "lp_ft"


@pytest.mark.slow
def test_too_few_steps_are_a_probe(chosen, far):
    strategy, _, reason = chosen(far, training={"num_train_epochs": 3})
    assert strategy.name == "linear_probe"
    assert "12 steps are too few" in reason
    assert chosen(far, training={"max_steps": 20})[0].name == "linear_probe"
    assert chosen(far, training={"num_train_epochs": 13})[0].name == "lp_ft"


def test_the_line_back_to_the_probe_needs_enough_to_choose_by(chosen, tmp_path, far):
    assert not chosen(far)[1].wise_ft
    assert chosen(write(tmp_path, unrelated, validation=120))[1].wise_ft


@pytest.mark.slow
def test_a_trial_of_a_search_averages_as_a_run_does(tmp_path, checkpoint):
    data = write(tmp_path / "data", unrelated, validation=120)
    values = {"strategy": "auto", "calibration": None, "training": OPEN}
    plan = recipe.load(write_recipe(tmp_path, checkpoint("bert"), data, **values))
    assert pipeline.prepare(plan).recipe.averaging.wise_ft
    changed = plan.replace(training=plan.training)
    assert pipeline.prepare(changed).recipe.averaging.wise_ft


@SLOW
def test_what_the_recipe_says_of_averaging_stays(chosen, tmp_path):
    data = write(tmp_path, unrelated, validation=120)
    strategy, averaging, _ = chosen(data, averaging={"ema": 0.9})
    assert strategy.name == "lp_ft"
    assert averaging.ema == 0.9
    assert not averaging.wise_ft


def test_no_time_for_steps_is_a_probe(chosen, far):
    strategy, _, reason = chosen(far, auto={"minutes": 1e-6})
    assert strategy.name == "linear_probe"
    assert "minutes" in reason
    strategy, _, reason = chosen(far, auto={"minutes": 1000})
    assert strategy.name != "linear_probe"


def test_a_probe_is_not_chosen_where_the_recipe_regularizes(chosen, near):
    assert chosen(near, training=RARELY, regularization={"l2_sp": 0.1})[0].name == "lp_ft"


def test_no_room_for_moments_is_lora(chosen, text_data, monkeypatch):
    present = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: present._replace(available=10_000))
    strategy, _, reason = chosen(text_data)
    assert strategy.name == "lora"
    assert "GB" in reason


def test_the_line_back_to_a_probe_is_lp_ft(chosen, near):
    strategy, averaging, _ = chosen(near, training=RARELY, averaging={"wise_ft": True})
    assert strategy.name == "lp_ft"
    assert averaging.wise_ft


@SLOW
def test_where_nothing_fits_auto_says_so(tmp_path, checkpoint, text_data):
    more = {"training": {"max_steps": 2}, "averaging": {"wise_ft": True}, "strategy": "auto"}
    path = write_recipe(tmp_path, checkpoint("bert"), text_data, **more)
    with pytest.raises(RecipeError, match=r"auto.*goes with the rest"):
        pipeline.prepare(recipe.load(path, ["data.streaming=true"]))


def test_tasks_without_a_linear_head_train_everything(chosen, tmp_path):
    texts = [" ".join(Random(i).choices(tiny.FILLERS, k=12)) for i in range(40)]
    for split in tiny.NUM_ROWS:
        Dataset.from_dict({"text": texts}).to_parquet(tmp_path / f"{split}.parquet")
    task = {"name": "masked_lm", "block_size": 16}
    strategy, _, reason = chosen(tmp_path, task=task)
    assert strategy.name == "full"
    assert "no linear head" in reason


@SLOW
def test_streams_are_not_probed(tmp_path, checkpoint, text_data):
    more = {"strategy": "auto", "training": {"max_steps": 2, "eval_steps": 2}}
    path = write_recipe(tmp_path, checkpoint("bert"), text_data, **more)
    prepared = pipeline.prepare(recipe.load(path, ["data.streaming=true"]))
    assert prepared.recipe.strategy.name == "full"
    assert "stream" in prepared.reason


def test_the_run_says_and_keeps_what_was_chosen(tmp_path, checkpoint, near, capsys):
    more = {"strategy": "auto", "training": {"num_train_epochs": 1}, "calibration": None}
    path = write_recipe(tmp_path, checkpoint("bert"), near, **more)
    assert main(["run", str(path)]) == 0
    printed = capsys.readouterr().out
    run = RunFolder(tmp_path / "runs" / "recipe" / "1")
    values = yaml.safe_load(run.recipe.read_text())["strategy"]
    assert values["name"] == "linear_probe"
    assert "reason" not in values  # no key of a recipe: the lock and the report keep it
    chosen = json.loads(run.lock.read_text())["auto"]
    assert chosen["strategy"] == "linear_probe"
    assert f"auto: linear_probe; reason: {chosen['reason']}" in printed
    metrics = json.loads(run.metrics.read_text())
    assert metrics["strategy"] == "linear_probe"
    assert metrics["reason"] == chosen["reason"]
    assert chosen["reason"] in (run.model / "README.md").read_text().replace("\n    ", " ")


def test_a_probe_that_was_chosen_has_no_rate_to_find(tmp_path, checkpoint, near, capsys):
    path = write_recipe(tmp_path, checkpoint("bert"), near, strategy="auto", training=RARELY)
    assert main(["lr-find", str(path)]) == 2
    assert "'linear_probe': its head is solved, not trained" in capsys.readouterr().err


@SLOW
def test_a_resumed_run_goes_on_with_what_was_chosen(tmp_path, checkpoint, text_data, far):
    """Whatever the rules would say now."""
    more = {"training": {"num_train_epochs": 2, "save_strategy": "epoch"}, "calibration": None}
    more["early_stopping"] = None
    ready = prepare(tmp_path, checkpoint("bert"), far, strategy="full", **more)
    run = RunFolder.create(tmp_path / "runs", "recipe")
    fit(ready, run.checkpoints)
    last = max(run.checkpoints.glob("checkpoint-*"), key=os.path.getmtime)
    assert last.is_dir()
    chosen = {"strategy": "full", "reason": "there was no time for anything else"}
    run.lock.write_text(json.dumps({"auto": chosen}))
    run.recipe.write_text(yaml.safe_dump(ready.recipe.model_dump(mode="json")))
    more["training"]["num_train_epochs"] = None
    path = write_recipe(tmp_path, checkpoint("bert"), far, strategy="auto", **more)
    assert main(["run", str(path), "training.resume_from_checkpoint=true"]) == 0
    assert json.loads(run.metrics.read_text())["strategy"] == "full"
    assert json.loads(run.metrics.read_text())["reason"] == chosen["reason"]
    assert json.loads(run.lock.read_text())["auto"] == {**chosen, "compared": []}
    assert yaml.safe_load(run.recipe.read_text())["training"]["num_train_epochs"] == 2


@SLOW
def test_the_choice_is_the_same_each_time(chosen, text_data):
    again = [chosen(text_data)[0] for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.parametrize(
    ("family", "name"), [("resnet", "lora"), pytest.param("vit", "lp_ft", marks=SLOW)]
)
def test_statistics_of_batches_are_kept(chosen, tmp_path, family, name):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    for number, noise in enumerate(pixels):
        split = ("train", "train", "validation", "test")[number % 4]
        folder = tmp_path / split / "ab"[number // 4 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise).save(folder / f"{number}.png")
    assert chosen(tmp_path, family=family, task="image")[0].name == name
