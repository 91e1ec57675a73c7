"""Folds of train, which stand in for a validation split where rows are few."""

import numpy as np
import pytest
from datasets import Dataset

from pipelines import data, recipe
from pipelines.core.errors import DataError, RecipeError
from pipelines.data import folds, group_folds
from pipelines.data.sources.files import Files
from pipelines.tasks.text_classification import TextClassification


@pytest.fixture
def load(tmp_path, own_cache):
    """load(num_rows, …): the data of a strategy that can be cross-validated."""

    def load(num_rows, /, *, max_fold_rows=1000, names=("train",), **section):
        rows = {"text": [f"text {i}" for i in range(num_rows)], "label": ["a", "b"] * num_rows}
        rows["label"] = rows["label"][:num_rows]
        for name in names:
            Dataset.from_dict(rows).to_parquet(tmp_path / f"{name}.parquet")
        source = Files(source="files", path=str(tmp_path), **section)
        return data.load(source, TextClassification(), 42, max_fold_rows=max_fold_rows)

    return load


def test_folds_have_equal_sizes_and_shares_of_each_class():
    values = np.repeat([0, 1, 2], [13, 6, 1])
    rows = np.arange(20)
    dealt = folds.deal(values, rows, 5, seed=1)
    assert np.bincount(dealt).tolist() == [4] * 5
    for value in (0, 1):
        sizes = np.bincount(dealt[values == value], minlength=5)
        assert sizes.max() - sizes.min() <= 1
    np.testing.assert_array_equal(dealt, folds.deal(values, rows, 5, seed=1))
    assert (dealt != folds.deal(values, rows, 5, seed=2)).any()


def test_rows_that_repeat_are_in_one_fold():
    values, texts = np.repeat([0, 1], 10), np.arange(20) // 2
    dealt = folds.deal(values, texts, 5, seed=1)
    np.testing.assert_array_equal(dealt[::2], dealt[1::2])
    assert np.bincount(dealt).tolist() == [4] * 5


def test_there_are_no_more_folds_than_different_texts(load):
    """A text in two folds is scored by what was trained on it."""
    train, notes = load(40).splits["train"], []
    values, texts = np.arange(40) % 2, np.arange(40) % 3
    dealt = group_folds.deal(train, values, texts, 5, 42, notes.append)
    assert len({*zip(texts, dealt, strict=True)}) == len({*dealt}) == 3
    assert notes == ["folds: 3, since train has no more different examples"]
    with pytest.raises(DataError, match="of one example there are no folds"):
        group_folds.deal(train, values, np.zeros(40), 5, 42, print)


def test_of_few_rows_none_are_set_aside_where_folds_can_choose(load):
    loaded = load(40, names=("train", "test"))
    assert loaded.is_folded
    assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (40, 40, 40)
    assert [*loaded.splits] == ["train", "test"]  # what looks for leaks compares these two
    assert any("5 folds of train choose" in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("num_rows", "section", "expected"),
    [
        (1000, {}, 5),
        (1001, {}, 0),
        (3, {}, 3),
        (20, {"folds": 10}, 10),
        (20, {"folds": 0}, 0),
        (1001, {"folds": 3}, 3),
        (1200, {"limit": {"train": 900}}, 5),
        (1200, {"splits": {"test": 0.2}}, 5),
        (20, {"splits": {"validation": 0.5}}, 0),
    ],
)
def test_the_number_of_folds_follows_from_recipe_and_rows(load, num_rows, section, expected):
    loaded = load(num_rows, **section)
    assert loaded.num_folds == expected
    assert loaded.is_folded == bool(expected)


def test_what_needs_a_validation_split_has_a_tenth_set_aside(load):
    loaded = load(40, max_fold_rows=0)
    assert (len(loaded.train), len(loaded.validation)) == (36, 4)
    assert (loaded.num_folds, load(301, max_fold_rows=300).num_folds) == (0, 0)


def test_folds_beside_a_validation_split_are_refused(load):
    with pytest.raises(DataError, match=r"data\.folds: 5: there is a validation split \(dev\)"):
        load(20, names=("train", "dev"), folds=5)


def test_more_folds_than_rows_are_refused(load):
    with pytest.raises(DataError, match=r"data\.folds: 30: train has 20 examples.* at most 20"):
        load(20, folds=30)


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"early_stopping": {"patience": 2}}, "early_stopping counts scores on rows that are set"),
        ({"averaging": {"soup": {"seed": [1, 2]}}}, "averaging.soup mixes weights by"),
        ({"training": {"eval_strategy": "epoch"}}, "training.eval_strategy looks at rows"),
        ({"training": {"fsdp": "full_shard"}}, "training.fsdp spreads weights"),
        ({"task": "masked_lm"}, "masked_lm has no linear head"),
    ],
)
def test_folds_beside_what_needs_a_validation_split_are_refused(sections, reason):
    source = {"source": "files", "path": "x.csv", "folds": 5}
    values = {"task": "text_classification", "model": "x", "strategy": "full", "data": source}
    with pytest.raises(RecipeError, match=rf"data\.folds: 5: {reason}"):
        recipe.Recipe.from_dict({**values, **sections})


def test_one_fold_is_refused():
    source = {"source": "files", "path": "x.csv", "folds": 1}
    with pytest.raises(RecipeError, match=r"data\.folds.*one fold leaves no rows to solve on"):
        recipe.Recipe.from_dict({"task": "text_classification", "model": "x", "data": source})
