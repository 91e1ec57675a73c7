"""The simple model beside the baseline: what it reads, what it learns, and when it is left out."""

import numpy as np
import pytest
from datasets import Dataset

from pipelines.core import registry
from pipelines.core.labels import MULTI, REGRESSION, SINGLE, Labels
from pipelines.evaluation.scorer import Scorer
from pipelines.evaluation.simple_model import SimpleSplit, fit_and_score
from pipelines.tasks.simple_features.bag_of_words import BagOfWords

TASK = registry.find("tasks", "text_classification")()
TWO = Labels(SINGLE, ("bad", "good"), ("bad", "good"))
THREE = Labels(SINGLE, tuple("abc"), tuple("abc"))
MANY = Labels(MULTI, ("joy", "fear", "every"), ("joy", "fear", "every"))
WORDS = np.array(["dull", "fine", "odd"])


def split(texts, targets, **columns):
    return SimpleSplit(Dataset.from_dict({"text": texts, **columns}), None, targets)


def scores(labels, train, test, features=None, metrics=()):
    splits = {"train": train, "test": test}
    return fit_and_score(features or BagOfWords(), splits, Scorer(metrics, TASK, labels))


def texts_of(classes):
    return [f"it is {word} {number}" for number, word in enumerate(WORDS[classes])]


def test_words_are_learned_in_any_order_and_case():
    classes = np.arange(20) % 2
    train = split(texts_of(classes), classes)
    test = split(["FINE it was, 1.", "so dull", "Fine!"], [1, 0, 1])
    result = scores(TWO, train, test, metrics=("accuracy", "roc_auc"))
    assert result.name == "bag of words"
    assert result.scores == {"test": {"accuracy": 1.0, "roc_auc": 1.0}}
    assert result.seconds > 0


def test_rows_in_folds_are_scored_by_what_did_not_read_them():
    classes = np.repeat([0, 1], 6)
    folds = np.tile([0, 1, 2], 4)
    words = WORDS[classes]
    # a fold whose words no other row has
    words[folds == 0] = [f"w{row}" for row in range(4)]
    train = split(words.tolist(), classes)
    scorer = Scorer(("accuracy",), TASK, TWO)
    result = fit_and_score(BagOfWords(), {"train": train}, scorer, folds)
    # of fold 0 nothing is known: all its rows get the same class, and half of them have it
    assert result.scores["validation"]["accuracy"] == (8 + 2) / 12


def test_a_fold_beside_a_single_class_is_scored():
    train = split(["dull", "fine"], np.array([0, 1]))
    scorer = Scorer(("accuracy",), TASK, TWO)
    result = fit_and_score(BagOfWords(), {"train": train}, scorer, np.array([0, 1]))
    assert result.scores["validation"]["accuracy"] == 0.0


def test_languages_without_spaces_have_words_too():
    train = split(["这部电影很好", "这部电影很坏", "音乐很好", "音乐很坏"], [1, 0, 1, 0])
    result = scores(TWO, train, split(["风景好", "风景坏"], [1, 0]))
    assert result.scores["test"]["accuracy"] == 1.0


def test_a_word_of_the_second_text_is_another_feature():
    pairs = [("fine", "dull"), ("dull", "fine")] * 6
    first, second = (list(texts) for texts in zip(*pairs, strict=True))
    train = split(first, [1, 0] * 6, text_pair=second)
    result = scores(TWO, train, split(["fine", "dull"], [1, 0], text_pair=["dull", "fine"]))
    assert result.scores["test"]["accuracy"] == 1.0


def test_texts_without_a_word_are_no_error():
    train = split(["", " "] * 4, [0, 1] * 4)
    assert scores(TWO, train, split([""], [0])).scores["test"].keys() == {"accuracy", "f1"}


def test_numbers_are_learned():
    classes = np.arange(30) % 3
    result = scores(
        Labels(REGRESSION),
        split(texts_of(classes), 100.0 * classes),
        split(["dull", "odd"], [0.0, 200.0]),
    )
    assert result.scores["test"]["pearson"] == pytest.approx(1.0)
    assert result.scores["test"]["mse"] < 100.0**2


def test_each_of_several_labels_is_learned_and_one_that_all_have_is_no_warning():
    classes = np.arange(30) % 3
    targets = np.stack([classes == 1, classes == 2, np.ones(30)], axis=1).astype(int)
    test = split(["dull", "fine", "odd"], np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1]]))
    assert scores(MANY, split(texts_of(classes), targets), test).scores["test"]["f1"] == 1.0


class FewRows(BagOfWords):
    """A bag of words for which few rows of train are read."""

    max_train_rows = 20
    max_scored_rows = 3


def test_of_many_rows_each_class_gives_its_share_and_a_rare_one_is_read():
    read = []

    class Spy(FewRows):
        """Remembers what is read."""

        def read(self, dataset, rows, chosen):
            read.append([*chosen])
            return super().read(dataset, rows, chosen)

    classes = np.array([0] * 300 + [1] * 99 + [2])
    train, test = split(texts_of(classes), classes), split(["dull", "fine", "odd"], [0, 1, 2])
    first, second = (scores(THREE, train, test, Spy()) for _ in range(2))
    assert first.scores == second.scores
    assert read[0] == read[2] == sorted({*read[0]})  # the same rows in each run
    assert [*np.bincount(classes[read[0]])] == [14, 5, 1]


def test_a_class_that_train_does_not_have_has_no_probability():
    train = split(texts_of(np.arange(20) % 2), np.arange(20) % 2)
    result = scores(THREE, train, split(["odd"], [2]), metrics=("accuracy", "log_loss"))
    assert result.scores["test"]["accuracy"] == 0
    assert np.isfinite(result.scores["test"]["log_loss"])


@pytest.mark.parametrize(
    ("labels", "train", "num_tested", "reason"),
    [
        (TWO, [0, 1], 4, "4 rows to score, and it takes at most 3"),
        (TWO, [1, 1], 1, "train has a single class"),
        (
            Labels(SINGLE, tuple(map(str, range(1000))), tuple(range(1000))),
            [0, 1],
            1,
            "1,000 classes, and it takes at most 447",
        ),
    ],
    ids=["rows", "one class", "classes"],
)
def test_what_takes_long_or_cannot_be_fitted_is_skipped_with_a_reason(
    labels, train, num_tested, reason
):
    test = split(["fine"] * num_tested, [1] * num_tested)
    result = scores(labels, split(["fine", "dull"], train), test, FewRows())
    assert (result.scores, result.skipped) == ({}, reason)
