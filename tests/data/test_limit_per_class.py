"""`data.limit_per_class`: how good a model is that learns from so many labels."""

from collections import Counter

import pytest
from datasets import Dataset

from pipelines import data
from pipelines.core.errors import DataError
from pipelines.data.sources.files import Files
from pipelines.tasks.causal_lm import CausalLm
from pipelines.tasks.text_classification import TextClassification


@pytest.fixture
def load(tmp_path, own_cache):
    """load({split: columns}, limit_per_class, **section) -> Data."""

    def load(splits, limit, /, task=None, seed=42, max_fold_rows=0, **section):
        for name, columns in splits.items():
            Dataset.from_dict(columns).to_parquet(tmp_path / f"{name}.parquet")
        source = Files(source="files", path=str(tmp_path), limit_per_class=limit, **section)
        task = task or TextClassification()
        return data.load(source, task, seed, max_fold_rows=max_fold_rows)

    return load


def table(prefix="text", **sizes):
    """Rows with `sizes` of each class, in turns as long as they last."""
    labels = [label for i in range(max(sizes.values())) for label in sizes if i < sizes[label]]
    return {"text": [f"{prefix} {i}" for i in range(len(labels))], "label": labels}


def number(text):
    return int(text.split()[1])


def test_each_class_has_at_most_so_many_examples_in_their_order(load):
    splits = {"train": table(a=50, b=20, c=3), "dev": table("dev", a=30, b=9)}
    loaded = load(splits, 8)
    assert Counter(loaded.train["label"]) == {"a": 8, "b": 8, "c": 3}
    assert sorted(loaded.train["text"], key=number) == loaded.train["text"][:]
    assert len(loaded.validation) == 39
    assert loaded.notes[-1] == (
        "train: 19 of 73 examples, at most 8 of each class (data.limit_per_class), seed 42; 1 of 3 "
        "classes have fewer"
    )
    assert len(load(splits, 50).train) == 73


def test_the_same_rows_are_drawn_for_every_strategy_and_in_larger_limits(load):
    splits = {"train": table(a=50, b=50)}

    def drawn(limit, **options):
        loaded = load(splits, limit, **options)
        return {text for rows in loaded.datasets.values() for text in rows["text"]}

    eight = drawn(8)
    assert eight == drawn(8, max_fold_rows=1000) < drawn(16)
    assert eight != drawn(8, seed=1)


def test_what_validates_comes_from_the_limited_rows(load):
    loaded = load({"train": table(a=100, b=100)}, 10)
    assert (len(loaded.train), len(loaded.validation)) == (18, 2)
    loaded = load({"train": table(a=100, b=100)}, 10, max_fold_rows=1000)
    assert (loaded.num_folds, len(loaded.train)) == (5, 20)
    loaded = load({"train": table(a=2000, b=2000)}, 10, max_fold_rows=1000)
    assert loaded.num_folds == 5  # few rows are left, of which folds choose


def test_test_is_cut_before_and_does_not_depend_on_the_limit(load):
    splits = {"train": table(a=100, b=100)}
    shares = {"validation": 0.25, "test": 0.2}
    loaded, whole = (load(splits, limit, splits=shares) for limit in (8, None))
    assert loaded.test["text"][:] == whole.test["text"][:]
    assert [len(rows) for rows in loaded.splits.values()] == [12, 4, 40]
    assert not {*loaded.test["text"]} & {*loaded.train["text"], *loaded.validation["text"]}


def test_a_recorded_share_cuts_the_same_rows_again(load):
    splits = {"train": table(a=100, b=100)}
    first, again = (
        load(splits, None, splits={"test": 0.2, **share}) for share in ({}, {"validation": 0.1})
    )
    for split in first.datasets:
        assert first.datasets[split]["text"][:] == again.datasets[split]["text"][:]


def test_the_limit_of_a_split_holds_for_what_is_left(load):
    loaded = load({"train": table(a=100, b=100)}, 10, limit={"train": 6, "validation": 1})
    assert (len(loaded.train), len(loaded.validation)) == (6, 1)


def test_one_example_of_each_class_needs_a_validation_split(load):
    for max_fold_rows in (1000, 0):
        with pytest.raises(DataError, match=r"data\.limit_per_class: 1: .* expected 2 or more, or"):
            load({"train": table(a=9, b=9)}, 1, max_fold_rows=max_fold_rows)
    loaded = load({"train": table(a=9, b=9), "dev": table("dev", a=2, b=2)}, 1)
    assert len(loaded.train) == 2


@pytest.mark.parametrize("labels", [[0.5, 1.5, 2.5], [["a"], ["b"], ["a", "b"]]])
def test_it_is_refused_where_examples_have_no_single_class(load, labels):
    rows = {"text": [f"text {i}" for i in range(30)], "label": labels * 10}
    with pytest.raises(DataError, match=r"data\.limit_per_class: 8: .* use data\.limit\.train=…"):
        load({"train": rows}, 8)


def test_it_is_refused_where_texts_are_generated(load):
    with pytest.raises(DataError, match=r"language_modeling.*use data\.limit\.train=…"):
        load({"train": {"text": [f"text {i}" for i in range(30)]}}, 8, task=CausalLm())
