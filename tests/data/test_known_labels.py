"""Labels of new data in the spelling of a run, or the difference."""

from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from pipelines.core.errors import DataError
from pipelines.core.labels import MULTI, SINGLE, TOKENS, Labels
from pipelines.data import known_labels
from pipelines.data.rows import Rows

MOODS = Labels(SINGLE, ("negative", "positive", "mixed"))
SEVERAL = Labels(MULTI, ("joy", "anger", "fear"))
TAGS = Labels(TOKENS, ("O", "B-PER", "I-PER"))
STARS = Labels(SINGLE, ("1", "2", "3"))
LIST_OF_CLASSES = List(ClassLabel(names=["anger", "joy"]))


def spelled(values: list[Any], labels: Labels, feature: Any = None, notes: Any = None) -> list[Any]:
    features = Features({"label": feature, "text": Value("string")}) if feature else None
    columns = {"label": values, "text": ["a"] * len(values)}
    rows = Rows.of(Dataset.from_dict(columns, features=features), "new")
    note = (notes if notes is not None else []).append
    return known_labels.spelled(rows, labels, labels.names, note).dataset["label"][:]


@pytest.mark.parametrize(
    ("values", "labels", "feature", "expected"),
    [
        (["mixed", "positive"], MOODS, None, ["mixed", "positive"]),
        # numbers of an own list of names
        ([1, 0], MOODS, ClassLabel(names=["mixed", "positive"]), ["positive", "mixed"]),
        ([3, 1], STARS, None, ["3", "1"]),
        ([3.0, 1.0], STARS, Value("float64"), ["3", "1"]),
        ([["fear", "joy"], []], SEVERAL, None, [["fear", "joy"], []]),
        ([[1, 0, 1], [0, 0, 0]], SEVERAL, None, [["joy", "fear"], []]),
        ([[1], [0, 1]], SEVERAL, LIST_OF_CLASSES, [["joy"], ["anger", "joy"]]),
        ([["O", "B-PER"], ["-100"]], TAGS, None, [["O", "B-PER"], ["-100"]]),
    ],
)
def test_labels_are_written_by_the_names_that_a_run_knows(values, labels, feature, expected):
    notes: list[str] = []
    assert spelled(values, labels, feature, notes) == expected
    assert not notes


def test_ids_stand_for_names_and_that_is_noted() -> None:
    notes: list[str] = []
    assert spelled([2, 0, 1], MOODS, None, notes) == ["mixed", "negative", "positive"]
    assert notes == ["labels are ids: 0 is 'negative', 1 is 'positive', 2 is 'mixed'"]
    assert spelled([[0, 2], [1]], TAGS) == [["O", "I-PER"], ["B-PER"]]


@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        (
            ["postive", "postive", "negative", "<b>\n"],
            MOODS,
            r"new: 2 of 3 labels are not among those of the run: 'postive' \(2 rows, like "
            r"'positive'\), '<b>\\n' \(1 row\); it has 'negative', 'positive', 'mixed'; rename",
        ),
        (["NEGATIVE"], MOODS, r"'NEGATIVE' \(1 row, like 'negative'\)"),
        ([7, 0], MOODS, r"2 of 2 labels are not among those of the run: '7' \(1 row\), '0'"),
        ([["joy", "hate"]], SEVERAL, r"'hate' \(1 row\)"),
        ([["O", "B-LOC", "B-LOC"]], TAGS, r"'B-LOC' \(2 words\)"),
        ([["joy"]], MOODS, r"column 'label' holds \['joy'\]; expected one name"),
        (["joy"], SEVERAL, "column 'label' holds 'joy'; expected a list of names"),
    ],
)
def test_unknown_labels_are_refused_by_the_difference(values, labels, message) -> None:
    with pytest.raises(DataError, match=message):
        spelled(values, labels)
