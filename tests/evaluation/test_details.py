"""Classes, confusions, losses and slices behind the scores of a split."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from pipelines.core import registry
from pipelines.core.labels import LANGUAGE, MULTI, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.evaluation import details, examples, slice_scores
from pipelines.evaluation.intervals import ScoredRows
from pipelines.evaluation.scorer import Scorer

FOUR = Labels(SINGLE, tuple("abcd"))
MANY = Labels(MULTI, ("joy", "anger", "fear"))
TASK = registry.find("tasks", "text_classification")()
RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(50, 4))
RIGHT = RANDOM.integers(0, 3, 50)  # no example of "d"


def results(per_class) -> np.ndarray:
    return np.array([(each.precision, each.recall, each.f1, each.count) for each in per_class])


def test_each_class_is_scored_as_scikit_learn_does() -> None:
    predictions = FOUR.predict(LOGITS)
    rows = ScoredRows(predictions, [*RIGHT], None, FOUR)
    expected = precision_recall_fscore_support(RIGHT, predictions, labels=range(4), zero_division=0)
    assert np.allclose(results(details.per_class(rows)), np.array(expected).T)
    assert [each.label for each in details.per_class(rows)] == [*"abcd"]
    assert np.array_equal(
        details.confusion(rows), confusion_matrix(RIGHT, predictions, labels=range(4))
    )


def test_each_of_several_labels_is_scored() -> None:
    predictions, right = RANDOM.integers(0, 2, (2, 50, 3))
    rows = ScoredRows(predictions, right, None, MANY)
    expected = precision_recall_fscore_support(right, predictions, zero_division=0)
    assert np.allclose(results(details.per_class(rows)), np.array(expected).T)
    assert details.confusion(rows) is None


def test_words_have_kinds_of_entity_or_tags() -> None:
    tags = Labels(TOKENS, ("O", "B-PER", "I-PER", "B-LOC"))
    predicted = [["B-PER", "I-PER", "O"], ["B-LOC", "B-LOC"]]
    right = [["B-PER", "I-PER", "O"], ["B-LOC", "B-PER"]]
    rows = ScoredRows(predicted, right, None, tags)
    person, place = details.per_class(rows)
    assert (person.label, person.precision, person.recall, person.count) == ("PER", 1, 0.5, 2)
    assert (place.label, place.precision, place.recall, place.count) == ("LOC", 0.5, 1, 1)
    assert details.confusion(rows)[1].tolist() == [0, 1, 0, 1]  # B-PER
    plain = Labels(TOKENS, ("NOUN", "VERB"))
    noun, verb = details.per_class(ScoredRows([["NOUN", "NOUN"]], [["NOUN", "VERB"]], None, plain))
    assert (noun.precision, noun.recall, verb.recall, verb.count) == (0.5, 1, 0, 1)


def test_a_matrix_of_very_many_classes_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr(details, "MAX_CONFUSION_CLASSES", 3)
    assert details.confusion(ScoredRows(FOUR.predict(LOGITS), RIGHT, None, FOUR)) is None


@pytest.mark.parametrize("at_a_time", [5, 4_000_000])
def test_losses_and_confidences_of_examples(monkeypatch, at_a_time: int) -> None:
    monkeypatch.setattr(examples, "MAX_CELLS", at_a_time)
    predictions, outputs = FOUR.predict(LOGITS), {"logits": LOGITS.astype(np.float32)}
    logs = log_softmax(LOGITS, axis=1)
    losses = examples.losses(outputs, predictions, [*RIGHT], FOUR)
    assert np.allclose(losses, -logs[np.arange(50), RIGHT], atol=1e-5)
    confidences = examples.confidences(outputs, predictions, FOUR)
    assert np.allclose(confidences, np.exp(logs.max(axis=1)), atol=1e-5)
    assert details.largest(losses)[0] == losses.argmax()
    right = RANDOM.integers(0, 2, (50, 3))
    outputs = {"logits": LOGITS[:, :3]}
    several, given = MANY.predict(LOGITS[:, :3]), expit(LOGITS[:, :3])
    losses = examples.losses(outputs, several, right, MANY)
    of_right = np.where(right, given, 1 - given)
    assert np.allclose(losses, -np.log(of_right).mean(axis=1))
    least = np.where(several, given, 1 - given).min(axis=1)
    assert np.allclose(examples.confidences(outputs, several, MANY), least)


def test_what_is_not_defined_for_an_example() -> None:
    numbers, blocks = Labels(REGRESSION), Labels(LANGUAGE)
    assert examples.losses({}, np.array([1.0]), [3.0], numbers).tolist() == [4.0]
    assert examples.losses({}, np.array([0.5]), [[1]], blocks).tolist() == [0.5]
    for labels in (numbers, blocks):
        assert examples.are_right([1.0], [1.0], labels) is None
        assert examples.confidences({}, [1.0], labels) is None
    questions = Labels("question_answering")
    assert examples.losses({}, ["x"], [["x"]], questions) is None
    right = examples.are_right(["The film!", "", "x"], [["film"], [], []], questions)
    assert right.tolist() == [True, True, False]


def test_slices_by_value_and_by_quartile() -> None:
    values = ["x", None, "x", float("nan")]
    assert {k: v.tolist() for k, v in slice_scores.by_value(values).items()} == {
        "x": [0, 2],
        "(empty)": [1, 3],
    }
    many = slice_scores.by_value([str(i % 25) for i in range(100)])
    assert len(many) == 20
    assert len(many["6 other values"]) == 24
    quarters = slice_scores.by_value([*map(float, range(80))])
    assert [*quarters] == ["0 to 19", "20 to 39", "40 to 59", "60 to 79"]
    assert slice_scores.by_quartile(np.arange(39.0)) == {}
    assert [*slice_scores.by_quartile(np.full(50, 7.0))] == ["7"]


def test_slices_have_scores_and_intervals() -> None:
    predictions = FOUR.predict(LOGITS)
    scorer = Scorer(("accuracy", "f1"), TASK, FOUR)
    slices = {"half": {"first": np.arange(25), "second": np.arange(25, 50)}}
    first, second = slice_scores.measure(scorer, predictions, RIGHT, {"logits": LOGITS}, slices)
    assert first.scores["accuracy"] == (predictions[:25] == RIGHT[:25]).mean()
    assert second.interval.low < second.scores["accuracy"] < second.interval.high
    assert (second.by, second.value, second.num_rows) == ("half", "second", 25)
