"""Texts that a later stage is tested on are not trained on before it."""

import pytest
from datasets import Dataset

from pipelines import data
from pipelines.core.errors import DataError
from pipelines.core.labels import LANGUAGE, Labels
from pipelines.data import Data
from pipelines.data.rows import Rows


def texts(*values: str) -> Dataset:
    return Dataset.from_dict({"text": list(values)})


def loaded(**splits: Dataset) -> Data:
    rows = {split: Rows.of(dataset, split) for split, dataset in splits.items()}
    return Data(rows, Labels(LANGUAGE), (), dict.fromkeys(rows, "x"))


def test_texts_of_the_test_split_are_left_out_whatever_split_holds_them():
    before = loaded(train=texts("a", "b ", "c"), validation=texts("d"), test=texts("e"))
    after = data.without_texts(before, texts(" b", "x"))
    assert after.train["text"][:] == ["a", "c"]
    assert after.splits["train"].numbers.tolist() == [0, 2]
    assert after.validation["text"][:] == ["d"]
    assert after.test is None  # another stage's to look at
    assert after.notes == ("train: 1 texts left out: the last stage is tested on them",)


def test_pairs_are_left_out_as_single_texts_and_joined():
    pairs = Dataset.from_dict({"text": ["a", "b"], "text_pair": ["c", "d"], "label": [0, 1]})
    before = loaded(train=texts("a c", "a d", "d", "e"))
    assert data.without_texts(before, pairs).train["text"][:] == ["a d", "e"]


def test_a_stream_leaves_them_out_as_it_is_read():
    stream = texts("a", "b").to_iterable_dataset()
    before = Data(loaded(train=texts("c")).splits, Labels(LANGUAGE), (), {}, stream=stream)
    assert [row["text"] for row in data.without_texts(before, texts("a")).stream] == ["b"]


def test_nothing_left_to_adapt_to_is_refused():
    with pytest.raises(DataError, match="each of its 2 texts is one of the last stage's test"):
        data.without_texts(loaded(train=texts("a", "b")), texts("b", "a"))


def test_data_without_texts_stay_as_they_are():
    numbers = Dataset.from_dict({"image": [1, 2]})
    assert len(data.without_texts(loaded(train=texts("a")), numbers).train) == 1
