"""The second run of a recipe finds its encoded texts: the tokenizer is not asked again."""

from pathlib import Path

import pytest
import tiny
from datasets import Dataset
from grafting import write_recipe
from transformers import PreTrainedTokenizerFast

from pipelines import pipeline, recipe


@pytest.fixture
def tokenized(tmp_path, monkeypatch):
    """tokenized(checkpoint, data, *overrides): how many texts a run gives to the tokenizer."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    call, counts = PreTrainedTokenizerFast.__call__, []

    def counting(self, text, *args, **kwargs):
        counts.append(len(text))
        return call(self, text, *args, **kwargs)

    monkeypatch.setattr(PreTrainedTokenizerFast, "__call__", counting)

    def tokenized(checkpoint, data, *overrides):
        counts.clear()
        path = write_recipe(tmp_path / "recipe", checkpoint, data)
        prepared = pipeline.prepare(recipe.load(path, overrides))
        assert len(prepared.encoded["train"]) == len(prepared.targets["train"])
        prepared.checkpoint.processor(["a"], padding=True, truncation=True)  # changes its state
        return sum(counts) - 1

    return tokenized


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_the_second_run_does_not_tokenize(tokenized, tmp_path, text_checkpoint, suffix):
    data = tiny.text_data(tmp_path / "data", suffix)
    assert tokenized(text_checkpoint, data) == sum(tiny.NUM_ROWS.values())
    assert tokenized(text_checkpoint, data) == 0
    # what has nothing to do with the encoding
    assert tokenized(text_checkpoint, data, "strategy=lora", "training.learning_rate=1e-3") == 0


def test_draws_are_found_again(tokenized, tmp_path, text_checkpoint):
    data = tiny.text_data(tmp_path / "data")
    draws = ["data.limit.train=40", "data.splits.validation=0.2", "data.splits.test=null"]
    assert tokenized(text_checkpoint, data, *draws) == 40 + 13
    assert tokenized(text_checkpoint, data, *draws) == 0
    assert tokenized(text_checkpoint, data, *draws, "training.seed=1") > 0


@pytest.mark.parametrize("change", ["option", "rows", "tokenizer"])
def test_what_changes_the_encoding_is_encoded_again(
    tokenized, tmp_path, text_checkpoint, checkpoint, change
):
    data = tiny.text_data(tmp_path / "data")
    assert tokenized(text_checkpoint, data) > 0
    if change == "rows":
        rows = Dataset.from_csv(str(data / "train.csv"), cache_dir=str(tmp_path / "other"))
        rows.select(range(60)).to_csv(str(data / "train.csv"))
        assert tokenized(text_checkpoint, data) == 60
    elif change == "option":
        assert tokenized(text_checkpoint, data, "task.max_length=4") > sum(tiny.NUM_ROWS.values())
    else:
        assert tokenized(checkpoint("roberta"), data) == sum(tiny.NUM_ROWS.values())


def test_a_change_in_the_code_of_tasks_is_seen(tokenized, tmp_path, text_checkpoint, monkeypatch):
    from pipelines.tasks import _rows

    data = tiny.text_data(tmp_path / "data")
    assert tokenized(text_checkpoint, data) > 0
    source = tmp_path / "code" / "_rows.py"
    source.parent.mkdir()
    source.write_text(Path(_rows.__file__).read_text() + "\n")
    monkeypatch.setattr(_rows, "__file__", str(source))
    _rows._code.cache_clear()
    assert tokenized(text_checkpoint, data) > 0
    _rows._code.cache_clear()
