"""Labels that are numbers but for a few, in tables of text and in JSON."""

import json

import pytest

from pipelines.core.errors import DataError
from pipelines.data import load
from pipelines.data.sources.files import Files
from pipelines.tasks.text_classification import TextClassification

FRACTIONS = [f"{i}.5" for i in range(30)]
WHOLE = [str(i % 2) for i in range(30)]


@pytest.fixture
def read(tmp_path, own_cache):
    """read(labels) -> Data of a table in which they stand beside texts."""

    def read(labels, kind="csv", problem_type="auto", **section):
        path = tmp_path / f"train.{kind}"
        if kind == "csv":
            rows = [f"item {i};{label}\n" for i, label in enumerate(labels)]
            path.write_text("text;label\n" + "".join(rows))
        else:
            rows = [{"text": f"item {i}", "label": label} for i, label in enumerate(labels)]
            path.write_text(json.dumps(rows))
        task = TextClassification(name="text_classification", problem_type=problem_type)
        return load(Files(source="files", path=str(path), **section), task, seed=0)

    return read


@pytest.mark.parametrize(
    ("labels", "gap", "expected"),
    [(FRACTIONS, "n/a", "regression"), (FRACTIONS, "soon", "regression"), (WHOLE, "N/A", None)],
)
def test_a_word_among_numbers_is_a_bad_row(read, labels, gap, expected):
    labels = [*labels[:7], gap, *labels[8:]]
    with pytest.raises(DataError, match=f"train, row 7: label '{gap}' is no number, as nearly all"):
        read(labels)
    data = read(labels, on_bad_row="skip")
    assert [row.row for row in data.left_out] == [7]
    assert data.labels.problem_type == (expected or "single_label_classification")
    assert {type(label) for label in data.train["label"]} == {float if expected else int}


def test_a_word_among_the_numbers_of_json_is_a_bad_row(read):
    labels = [*map(float, FRACTIONS[:7]), "n/a", *map(float, FRACTIONS[8:])]
    with pytest.raises(DataError, match="row 7: column 'label' holds \"n/a\", a text"):
        read(labels, kind="json")
    data = read(labels, kind="json", on_bad_row="skip")
    assert data.labels.problem_type == "regression"
    assert len(data.train) + len(data.validation) == 29


def test_whole_numbers_are_numbers_where_a_regression_is_asked_for(read):
    labels = [*WHOLE[:7], "007", "soon", *WHOLE[9:]]
    with pytest.raises(DataError, match="row 8: label 'soon' is no number"):
        read(labels, problem_type="regression")
    data = read(labels, problem_type="regression", on_bad_row="skip")
    assert 7.0 in [*data.train["label"], *data.validation["label"]]


@pytest.mark.parametrize(
    ("labels", "section"),
    [
        ([*WHOLE[:7], "other", *WHOLE[8:]], {}),
        ([*WHOLE[:20], *["n/a"] * 10], {}),
        ([*FRACTIONS[:2] * 14, "beta"], {"problem_type": "single_label_classification"}),
        ([*WHOLE[:7], "n/a", *WHOLE[8:]], {"label_names": ("0", "1", "n/a")}),
        (["007", "n/a", *["008"] * 28], {}),
    ],
)
def test_words_that_may_be_classes_are(read, labels, section):
    data = read(labels, **section)
    assert {*data.labels.names} == {*labels}


@pytest.mark.parametrize("problem_type", ["auto", "regression"])
def test_decimal_commas_are_refused_with_what_to_write(read, problem_type):
    labels = ["3", *(label.replace(".", ",") for label in FRACTIONS)]
    with pytest.raises(DataError) as refused:
        read(labels, problem_type=problem_type)
    assert "train, row 1: label '0,5' has a decimal comma; write '0.5'" in str(refused.value)
    assert "task.problem_type=single_label_classification" in str(refused.value)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["900", *(f"1,{i:03}" for i in range(30))], "row 1: label '1,000' has a comma: .* '1000'"),
        (["1,000,000", *(f"2,{i:03}" for i in range(30))], "label '1,000,000' .* '1000000'"),
        ([f"{i}%" for i in range(30)], "row 0: label '0%' is a number with a sign; .* '0', or"),
        ([f"$1,{i:03}.5" for i in range(30)], r"label '\$1,000.5' is .* alone, '1000.5'"),
    ],
)
def test_thousands_and_units_are_refused_with_what_to_write(read, labels, expected):
    with pytest.raises(DataError, match=expected):
        read(labels)


def test_a_few_amounts_are_classes(read):
    assert read(["5%", "10%"] * 15).labels.names == ("5%", "10%")
