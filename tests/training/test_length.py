"""Steps decide how long training is: few examples are seen more often, unless the recipe says."""

import pytest
import tiny
from datasets import Dataset
from grafting import prepare

from pipelines.training.length import Length

OPEN = {"num_train_epochs": None}  # as long as it takes


@pytest.fixture
def trained(tmp_path, checkpoint, text_data):
    """trained(strategy, …): the resolved recipe on 64 sentences, four steps of 16."""

    def trained(strategy="full", **sections):
        training = {**OPEN, **sections.pop("training", {})}
        ready = prepare(
            tmp_path,
            checkpoint("bert"),
            sections.pop("data", text_data),
            strategy=strategy,
            training=training,
            **sections,
        )
        return ready.recipe

    return trained


@pytest.mark.parametrize("strategy", ["full", "lora", "top_layers", "lp_ft", "scratch"])
def test_few_examples_are_seen_more_often_under_every_strategy(trained, capsys, strategy):
    recipe = trained(strategy)
    assert recipe.training["num_train_epochs"] == 23  # of 4 steps
    assert recipe.training["eval_strategy"] == "steps"
    assert recipe.training["eval_steps"] == 16
    assert recipe.early_stopping is None  # none before the steps are done
    line = "length: 23 epochs, for 92 steps: at least 90 are needed to learn something"
    assert line in capsys.readouterr().out


def test_stages_keep_their_proportions(trained, capsys):
    recipe = trained("gradual_unfreezing")
    assert recipe.training["max_steps"] == 92
    assert "92 steps: at least 90 are needed" in capsys.readouterr().out


def test_a_length_that_the_recipe_says_stays_and_is_noted_where_it_is_short(trained, capsys):
    recipe = trained(training={"num_train_epochs": 3})
    assert recipe.training["num_train_epochs"] == 3
    assert "eval_steps" not in recipe.training
    assert recipe.early_stopping
    expected = (
        "length: 3 epochs, for 12 steps, as the recipe says: at least 90 are needed to learn "
        "something; leave out training.num_train_epochs"
    )
    assert expected in capsys.readouterr().out
    assert trained(training={"max_steps": 6}).training["max_steps"] == 6
    assert "length: 6 steps, as the recipe says" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("training", "line"),
    [
        ({"max_steps": 2}, "2 steps, as the recipe says: at least 50 are needed to learn"),
        ({"num_train_epochs": 0.5}, "0.5 epochs, for 25 steps, as the recipe says: at least 50"),
        ({"max_steps": 50}, ""),
        ({"gradient_accumulation_steps": 4}, ""),  # an epoch has 50 steps, however large they are
    ],
)
def test_pairs_of_contrastive_are_enough_unless_the_recipe_says_less(
    trained, capsys, training, line
):
    recipe = trained("contrastive", training=training)
    printed = capsys.readouterr().out
    assert f"length: {line}" in printed if line else "length:" not in printed
    assert recipe.training.items() >= training.items()
    assert recipe.training["eval_strategy"] == "no"


def test_evaluations_that_the_recipe_names_stay(trained):
    assert trained(training={"eval_steps": 5}).training["eval_steps"] == 5
    each_epoch = trained(training={"save_strategy": "epoch"}).training
    assert each_epoch["num_train_epochs"] == 23
    assert "eval_strategy" not in each_epoch
    stopping = trained(early_stopping={"patience": 2}).early_stopping
    assert stopping
    assert stopping.patience == 2


def test_a_repeated_run_has_the_same_length(trained):
    first = trained().training
    assert trained(training=first).training == first


def test_solved_heads_and_language_models_have_no_steps_to_add(trained, tmp_path, checkpoint):
    assert "num_train_epochs" not in trained("linear_probe").training
    assert trained("contrastive").training["num_train_epochs"] == 1  # of its own pairs
    rows = [{"text": " ".join(tiny.FILLERS)}] * 40
    for split in tiny.NUM_ROWS:
        Dataset.from_list(rows).to_parquet(tmp_path / f"{split}.parquet")
    ready = prepare(
        tmp_path, checkpoint("gpt2"), tmp_path, task="causal_lm", training=OPEN, strategy="full"
    )
    assert ready.recipe.training["num_train_epochs"] == 3


def test_enough_examples_and_more_classes():
    def length(num_rows, num_classes=2, **arguments):
        fields = {"per_device_train_batch_size": 32, "num_train_epochs": 3, **arguments}
        return Length(num_rows, num_classes, fields, frozenset())

    assert length(960).extended_epochs is None  # 30 steps each
    assert length(959, gradient_accumulation_steps=2).extended_epochs == 6  # 15 steps each
    # 959 rows are 29 batches and a smaller one, which may be dropped
    assert length(959, dataloader_drop_last=True).extended_epochs == 4
    assert length(960, num_classes=77).min_steps > 90
    assert length(20, max_steps=7).num_steps == 7
    assert length(20, max_steps=7).examples_seen == 140
