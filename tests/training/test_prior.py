"""A new output layer starts at the shares of the classes; one that is kept stays as it is."""

import numpy as np
import pytest
import tiny
from datasets import Dataset
from grafting import prepare


def write(folder, rows):
    folder.mkdir(exist_ok=True)
    for split in tiny.NUM_ROWS:
        Dataset.from_list(rows).to_parquet(folder / f"{split}.parquet")
    return folder


@pytest.fixture
def bias(tmp_path, checkpoint):
    """bias(rows, …): that of the output layer before training."""

    def bias(rows, model=None, **sections):
        data = write(tmp_path / "data", rows)
        ready = prepare(tmp_path, model or checkpoint("bert"), data, **sections)
        return ready.checkpoint.model.classifier.bias.detach().numpy()

    return bias


def rows(column, *labels):
    """A sentence for each label."""
    words = " ".join(tiny.FILLERS[:4])
    texts = words.split() if column == "tags" else words
    return [{"tokens" if column == "tags" else "text": texts, column: label} for label in labels]


UNEQUAL = rows("label", *["common"] * 30, *["rare"] * 10)


def test_one_of_several_classes(bias):
    common, rare = bias(UNEQUAL)
    assert common - rare == pytest.approx(np.log(30.5 / 10.5))


def test_each_of_several_labels_has_its_odds(bias):
    result = bias(rows("label", *[["a"]] * 30, *[["a", "b"]] * 8, *[["b"]] * 2))
    assert result == pytest.approx(np.log([38.5 / 2.5, 10.5 / 30.5]))


def test_tags_of_words(bias):
    tags = rows("tags", *[["O", "O", "O", "B-PER"]] * 12)
    result = bias(tags, task="token_classification")
    assert max(result) - min(result) == pytest.approx(np.log(36.5 / 12.5))


@pytest.mark.parametrize(
    "balance", [{"class_weights": "balanced"}, {"sampler": "balanced"}], ids=lambda b: next(iter(b))
)
def test_balanced_classes_start_equal(bias, balance):
    assert not bias(UNEQUAL, task={"name": "text_classification", **balance}).any()


def test_a_head_that_the_checkpoint_holds_stays(bias, tmp_path, checkpoint):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    names = {0: "common", 1: "rare"}
    loaded = AutoModelForSequenceClassification.from_pretrained(checkpoint("bert"), id2label=names)
    loaded.classifier.bias.data.copy_(loaded.classifier.bias.new_tensor([0.25, -0.5]))
    loaded.save_pretrained(tmp_path / "classifier")
    AutoTokenizer.from_pretrained(checkpoint("bert")).save_pretrained(tmp_path / "classifier")
    assert [*bias(UNEQUAL, model=tmp_path / "classifier")] == [0.25, -0.5]
