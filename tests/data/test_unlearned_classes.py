"""Classes of which limits, or folds, leave nothing to learn from are refused or named."""

import re

import pytest
from datasets import Dataset

from pipelines import data
from pipelines.core.errors import DataError
from pipelines.data.sources.files import Files
from pipelines.tasks.text_classification import TextClassification


@pytest.fixture
def load(tmp_path, own_cache):
    """load(labels, **section): the data of texts with these labels, which folds may validate."""

    def load(labels, /, validation=(), **section):
        for name, column in (("train", labels), ("validation", validation)):
            if column:
                columns = {"text": [f"{name} {i}" for i in range(len(column))], "label": column}
                if "group" in section:
                    columns["patient"] = [f"P{i // 2}" for i in range(len(column))]
                Dataset.from_dict(columns).to_parquet(tmp_path / f"{name}.parquet")
        source = Files(source="files", path=str(tmp_path), **section)
        return data.load(source, TextClassification(), 42, max_fold_rows=1000)

    return load


IDS = [f"id{i}" for i in range(12)]


@pytest.mark.parametrize(
    ("labels", "section", "words"),
    [
        (IDS, {}, "its 12 examples are too few for folds .* if these are ids, name the column"),
        (IDS, {"folds": 3}, "each has a class of its own, so that no fold has a class that"),
        (["a", "b"] * 9, {"limit": {"train": 2}}, r"own, .*; raise data\.limit\.train \(2\)"),
        (["a", "b"] * 9, {"limit": {"train": 1}}, r"data\.limit\.train: 1: of 2 classes train has"),
        (["a"] * 60 + ["b"] * 2, {"limit": {"train": 7}}, r"only 'a' left \(examples: 7\)"),
        (["a", "a", "b", "b"], {"group": "patient"}, "its 2 groups in train has all examples of a"),
    ],
)
def test_where_no_fold_has_a_class_of_another_nothing_is_measured(load, labels, section, words):
    with pytest.raises(DataError) as raised:
        load(labels, **section)
    assert re.search(words, str(raised.value)), raised.value


def test_one_class_that_is_left_is_refused_beside_a_validation_split_too(load):
    with pytest.raises(DataError, match="train has only"):
        load(["a", "b"] * 9, validation=["a", "b"], limit={"train": 1})
    # a limit that is none takes nothing; and one of each class can be learned, if not compared
    assert len(load(["a", "b"], validation=["a", "b"], limit={"train": 9}).train) == 2
