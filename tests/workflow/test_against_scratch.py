"""A recipe beside the same training from random weights."""

from pathlib import Path

import pytest
from grafting import prepare, write_recipe

from pipelines import recipe
from pipelines.core.errors import RecipeError
from pipelines.workflow import transfer


@pytest.mark.slow
def test_pretrained_and_random_weights_are_compared_by_seed(
    tmp_path: Path, text_checkpoint: Path, text_data: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_recipe(tmp_path, text_checkpoint, text_data, training={"max_steps": 1})
    measured = transfer.against_scratch(recipe.load(path), (3, 4), tmp_path)
    assert [pair.seed for pair in measured.pairs] == [3, 4]
    assert (measured.strategy, measured.metric) == ("full", "accuracy")
    assert measured.budget == "1 steps of 16 examples each"
    pair = measured.pairs[1]
    shown = f"seed 4: accuracy {pair.pretrained:.4f}, from scratch {pair.scratch:.4f}"
    assert shown in capsys.readouterr().out
    assert not [*tmp_path.glob("transfer_*")]


def test_scratch_has_the_budget_of_the_recipe_and_a_rate_of_its_own(
    tmp_path: Path, text_checkpoint: Path, text_data: Path
):
    training = {"learning_rate": 1e-5, "num_train_epochs": None, "metric_for_best_model": "loss"}
    sections = {
        "strategy": "lp_ft",
        "training": training,
        "averaging": {"wise_ft": True, "ema": 0.9},
        "regularization": {"l2_sp": 0.1},
    }
    prepared = prepare(tmp_path, text_checkpoint, text_data, **sections)
    ours, scratch = prepared.recipe, transfer.scratch_recipe(prepared)
    for key in ("num_train_epochs", "eval_steps", "metric_for_best_model", "seed"):
        assert scratch.training[key] == ours.training[key]
    assert "learning_rate" not in scratch.training
    assert not scratch.strategy.pretrained
    assert (scratch.averaging.wise_ft, scratch.averaging.ema) == (False, 0.9)
    assert scratch.regularization.l2_sp == 0
    assert scratch.data.splits == ours.data.splits


def test_a_probe_is_compared_with_the_usual_length_of_scratch_on_the_same_folds(
    tmp_path: Path, text_checkpoint: Path, text_data: Path
):
    train = text_data / "train.csv"
    prepared = prepare(tmp_path, text_checkpoint, train, strategy="linear_probe")
    scratch = transfer.scratch_recipe(prepared)
    assert scratch.data.folds == 5
    assert not {"max_steps", "num_train_epochs"} & scratch.training.keys()


def test_what_cannot_be_compared_is_refused(tmp_path: Path, text_checkpoint: Path, text_data: Path):
    path = write_recipe(tmp_path, text_checkpoint, text_data)
    for seeds in ((1,), (1, 1)):
        with pytest.raises(RecipeError, match="expected 2 or more, each another one"):
            transfer.against_scratch(recipe.load(path), seeds, tmp_path)
    with pytest.raises(RecipeError, match="'scratch' is what a recipe is compared with"):
        transfer.against_scratch(recipe.load(path, ["strategy=scratch"]), (1, 2), tmp_path)
