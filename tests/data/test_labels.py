"""What the label column is taken for: classes and their order, several labels, numbers, gaps.

Every test writes small files and loads them as a recipe would.
"""

import json
import re

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from pipelines import data
from pipelines.core.errors import DataError
from pipelines.data.sources.files import Files
from pipelines.tasks.text_classification import TextClassification
from pipelines.tasks.token_classification import TokenClassification

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def load(tmp_path):
    """load(labels, kind="jsonl", task=…, features=…, **section) -> Data of such a column."""

    def load(labels, kind="jsonl", task=None, features=None, **section):
        texts = [f"text {i}" for i in range(len(labels))]
        path = tmp_path / f"train.{kind}"
        if kind == "jsonl":
            pairs = zip(texts, labels, strict=True)
            lines = [json.dumps({"text": text, "label": label}) for text, label in pairs]
            path.write_text("\n".join(lines))
        else:
            rows = Dataset.from_dict({"text": texts, "label": labels}, features)
            (rows.to_csv if kind == "csv" else rows.to_parquet)(str(path))
        source = Files(source="files", path=str(path), **section)
        return data.load(source, task or TextClassification(), seed=42)

    return load


@pytest.fixture
def load_tags(tmp_path):
    """load_tags(tags, **section) -> Data with one word for each tag."""

    def load_tags(tags, features=None, **section):
        words = [[f"word{i}" for i in range(len(row))] for row in tags]
        rows = Dataset.from_dict({"tokens": words, "ner_tags": tags}, features)
        rows.to_parquet(tmp_path / "train.parquet")
        source = Files(source="files", path=str(tmp_path / "train.parquet"), **section)
        return data.load(source, TokenClassification(), seed=42)

    return load_tags


def encoded(loaded):
    return loaded.labels.encode(loaded.train["label"], "train")


# Classes and their order


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["grade 10", "grade 2", "grade 1"], ("grade 1", "grade 2", "grade 10")),
        (["v1.10", "v1.9", "beta"], ("beta", "v1.9", "v1.10")),
        (["no", " no", "No"], (" no", "No", "no")),
        (["12-b", "12-a", "3-z"], ("3-z", "12-a", "12-b")),
    ],
)
def test_classes_are_as_the_file_spells_them_in_natural_order(load, kind, labels, names):
    loaded = load(labels * 20, kind)
    assert loaded.labels.names == names
    assert set(loaded.train["label"]) == set(names)


def test_texts_of_numbers_are_in_the_order_of_the_numbers(load):
    loaded = load(["-2", "10", "9", "0.5", "none", "-10"] * 10, "parquet")
    assert loaded.labels.names == ("-10", "-2", "0.5", "9", "10", "none")


@pytest.mark.parametrize(
    ("labels", "problem_type", "reason"),
    [
        (["b", "a"], "single_label_classification", "label: 2 classes, because it holds texts"),
        ([3, 20, 100], "single_label_classification", "3 classes, because it holds whole numbers"),
        ([True, False], "single_label_classification", "because it holds true and false"),
        ([0.0, 1.0], "single_label_classification", "2 classes, because it holds whole"),
        ([0.5, 2.0], "regression", "labels are floats, so the task is a regression"),
        ([["a"], ["b", "a"]], "multi_label_classification", "several for each example"),
    ],
)
def test_what_showed_the_kind_of_labels_is_noted(load, labels, problem_type, reason):
    loaded = load(labels * 20)
    assert loaded.labels.problem_type == problem_type
    assert [note for note in loaded.notes if reason in note]
    explicit = load(labels * 20, task=TextClassification(problem_type=problem_type))
    assert explicit.labels == loaded.labels
    assert not [note for note in explicit.notes if "because" in note or "floats" in note]


def test_what_a_column_declares_needs_no_reason(load):
    features = Features(text=Value("string"), label=ClassLabel(names=["z", "b", "a"]))
    loaded = load([0, 1, 2] * 20, "parquet", features=features)
    assert loaded.labels.names == ("z", "b", "a")
    assert not [note for note in loaded.notes if note.startswith("label")]


@pytest.mark.parametrize(
    ("labels", "problem_type", "message"),
    [
        (["a", "b"], "multi_label_classification", "needs a list of classes in each row"),
        ([["a"], ["b"]], "single_label_classification", "needs one value in each row"),
        ([["a"], ["b"]], "regression", "column 'label' of train holds ['a']"),
    ],
)
def test_a_problem_type_that_the_column_cannot_have_is_refused(load, labels, problem_type, message):
    with pytest.raises(DataError, match=re.escape(message)):
        load(labels * 20, task=TextClassification(problem_type=problem_type))


# Names that the recipe gives


def test_the_recipe_names_ids(load):
    loaded = load([1, 0] * 20, label_names=["no", "yes", "perhaps"])
    assert loaded.labels.names == ("no", "yes", "perhaps")
    assert encoded(loaded) == loaded.train["label"][:]


def test_the_recipe_orders_classes(load):
    loaded = load(["low", "high", "middle"] * 20, label_names=["low", "middle", "high"])
    assert loaded.labels.names == ("low", "middle", "high")
    ids = {"low": 0, "middle": 1, "high": 2}
    assert encoded(loaded) == [ids[label] for label in loaded.train["label"]]


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (["low", "high"], ["low", "hi"], "'low', 'hi' do not fit the labels of train: 'high', 'l"),
        ([0, 5], ["a", "b", "c"], "do not fit the labels of train: '0', '5'"),
        ([[1, 0], [0, 1]], ["a", "b", "c"], "do not fit the labels of train: 'label_0', 'label_1'"),
        ([0.5, 1.5], ["a", "b"], "do not fit the labels of train: numbers to regress on"),
    ],
)
def test_names_for_other_labels_are_refused(load, labels, names, message):
    with pytest.raises(DataError, match=re.escape(message)):
        load(labels * 20, label_names=names)


# Several labels


@pytest.mark.parametrize("one", [1, 1.0, True])
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_rows_of_zeros_and_ones_are_a_label_for_each_place(load, one, kind):
    zero = type(one)(0)
    loaded = load([[one, zero, one], [zero, one, zero], [zero, zero, zero]] * 20, kind)
    assert loaded.labels.names == ("label_0", "label_1", "label_2")
    assert encoded(loaded) == [[float(v) for v in row] for row in loaded.train["label"]]
    assert [note for note in loaded.notes if "rows of 0 and 1; data.label_names names them" in note]


def test_the_recipe_names_the_places(load):
    loaded = load([[1, 0], [0, 1]] * 20, label_names=["joy", "fear"])
    assert loaded.labels.names == ("joy", "fear")
    assert loaded.labels.encode([[0, 1]], "train") == [[0, 1]]


@pytest.mark.parametrize("labels", [[[0], [1]], [[0, 1], [], [1]]])
def test_lists_of_other_lengths_are_lists_of_classes(load, labels):
    loaded = load(labels * 20)
    assert loaded.labels.names == ("0", "1")
    expected = [[float(i in row) for i in range(2)] for row in loaded.train["label"]]
    assert encoded(loaded) == expected


def test_declared_classes_are_never_taken_for_places(load):
    features = Features(text=Value("string"), label=List(ClassLabel(names=["joy", "fear"])))
    loaded = load([[0, 1], [1, 0]] * 20, "parquet", features=features)
    assert loaded.labels.names == ("joy", "fear")
    assert encoded(loaded)[0] == [1, 1]


def test_a_row_of_another_length_is_named(tmp_path):
    for split, labels in (("train", [[0, 1], [1, 0]] * 8), ("validation", [[0, 1], [0, 1, 1]])):
        rows = {"text": [f"{split} {i}" for i in range(len(labels))], "label": labels}
        Dataset.from_dict(rows).to_parquet(tmp_path / f"{split}.parquet")
    with pytest.raises(DataError, match=r"validation, row 1: labels .* expected 2 times 0 or 1"):
        data.load(Files(source="files", path=str(tmp_path)), TextClassification(), seed=42)


@pytest.mark.parametrize("share", [[0.7, 0.3], [0.2, 0.9], [2.5, 1.0]])
def test_shares_of_classes_are_refused_by_name(load, share):
    with pytest.raises(DataError, match=r"column 'label' holds .*soft labels.*cannot be trained"):
        load([share, [1.0, 0.0]] * 20)


@pytest.mark.parametrize(
    "labels", [["['joy']", "['joy', 'fear']"], ['["joy"]', "[]"], ["[joy]", "[joy fear]"]]
)
def test_lists_in_text_are_refused_with_what_to_write(load, labels):
    with pytest.raises(DataError, match=r"a list in text; .*data.columns.label=\[joy, fear\]"):
        load(labels * 20)


def test_names_in_brackets_are_classes(load):
    assert load(["[joy]", "[fear]"] * 20).labels.names == ("[fear]", "[joy]")


def test_shares_in_columns_are_refused_by_name(tmp_path):
    (tmp_path / "train.csv").write_text("text,joy,fear\n" + "good,0.75,0.25\nbad,0,1\n" * 10)
    section = {"path": str(tmp_path), "columns": {"text": "text", "label": ["joy", "fear"]}}
    with pytest.raises(DataError, match=r"row 0: column 'joy' is 0.75; expected 0 or 1; shares of"):
        data.load(Files(source="files", **section), TextClassification(), seed=42)


@pytest.mark.parametrize(
    ("label", "remedy"),
    [
        ({"name": "a"}, "of its fields (name), write the one that is the label alone"),
        ({"joy": 1, "fear": 0}, "data.columns.label=[joy, fear]; or write the class alone"),
        ([{"label": "joy", "score": 0.5}], "fields (label, score), write the one that is the l"),
        ([[0, 1], [1]], "or a list of 0 and 1 for each class"),
    ],
)
@pytest.mark.parametrize("problem_type", ["auto", "single_label_classification"])
def test_labels_of_other_shapes_are_refused_by_column(load, label, remedy, problem_type):
    with pytest.raises(DataError) as refused:
        load([label] * 20, task=TextClassification(problem_type=problem_type))
    assert "column 'label' holds" in str(refused.value)
    assert "expected a class, a number" in str(refused.value)
    assert remedy in str(refused.value)


# Gaps


def test_minus_100_is_no_label(load):
    with pytest.raises(DataError, match=r"train, row 1: no label \(-100\); 10 of 30 rows"):
        load([0, -100, 1] * 10)
    loaded = load([0, -100, 1] * 10, on_bad_row="skip")
    assert loaded.labels.names == ("0", "1")


def test_minus_100_is_a_number_where_numbers_are_asked_for(load):
    loaded = load([0, -100, 1] * 10, task=TextClassification(problem_type="regression"))
    assert -100.0 in encoded(loaded)


def test_an_empty_cell_among_columns_of_zeros_and_ones_is_a_bad_row(tmp_path):
    lines = [f"text {i},{i % 2},{'' if i == 5 else 1 - i % 2}" for i in range(30)]
    (tmp_path / "train.csv").write_text("text,joy,fear\n" + "\n".join(lines))
    section = {"path": str(tmp_path), "columns": {"text": "text", "label": ["joy", "fear"]}}
    with pytest.raises(DataError, match="train, row 5: no label at place 1"):
        data.load(Files(source="files", **section), TextClassification(), seed=42)
    source = Files(source="files", **section, on_bad_row="skip")
    loaded = data.load(source, TextClassification(), seed=42)
    assert [row.row for row in loaded.left_out] == [5]
    assert set(map(tuple, encoded(loaded))) == {(0, 1), (1, 0)}


@pytest.mark.parametrize(
    "labels",
    [
        [[1, 0], [0, 1], [None, 1]],
        [["a"], ["b", "a"], ["b", None]],
        [["a"], ["b", "a"], ["b", ""]],
        [[0.0, 2.0], [1.0], [1.0, float("nan")]],
    ],
)
def test_a_gap_in_a_list_is_a_bad_row(load, labels):
    with pytest.raises(DataError, match="train, row 2: no label at place"):
        load(labels * 10)
    assert len(load(labels * 10, on_bad_row="skip").left_out) == 10


# A tag for each word


def test_a_tag_of_minus_100_is_no_tag(load_tags):
    loaded = load_tags([[0, -100, 1], [1, 0, -100]] * 10)
    assert loaded.labels.names == ("0", "1")
    assert loaded.labels.encode([[0, -100, 1]], "train") == [[0, -100, 1]]


def test_a_tag_of_minus_100_among_texts_is_no_tag(load_tags):
    loaded = load_tags([["O", "-100", "B-x"], ["O", "O", "-100"]] * 10)
    assert loaded.labels.names == ("O", "B-x")
    assert loaded.labels.encode([["O", "-100", "B-x"]], "train") == [[0, -100, 1]]


def test_tags_that_a_gap_made_floats_are_called_by_their_ids(load_tags):
    loaded = load_tags([[0.0, 10.0, -100.0], [2.0, 2.0, 0.0]] * 10)
    assert loaded.labels.names == ("0", "2", "10")
    assert loaded.labels.encode([[0.0, 10.0, -100.0]], "train") == [[0, 2, -100]]


def test_numbers_with_a_fraction_are_no_tags(load_tags):
    with pytest.raises(DataError, match=r"holds \[0.5, 2.0\], numbers with a fraction; expected a"):
        load_tags([[0.5, 2.0], [0.5, 2.0]] * 10)


@pytest.mark.parametrize("none", [-100, "-100"])
def test_a_text_without_any_tag_is_a_bad_row(load_tags, none):
    tag = type(none)
    with pytest.raises(DataError, match="train, row 1: every tag is -100"):
        load_tags([[tag(0), tag(1)], [none, none]] * 10)


@pytest.mark.parametrize("gap", [None, ""])
def test_a_missing_tag_is_a_bad_row(load_tags, gap):
    tags = [["O", "B-x"], ["O", gap], ["O", "O"]]
    with pytest.raises(DataError, match=rf"train, row 1: no label at place 1 of \['O', {gap!r}\]"):
        load_tags(tags * 10)
    loaded = load_tags(tags * 10, on_bad_row="skip")
    assert len(loaded.left_out) == 10
    assert loaded.labels.names == ("O", "B-x")


def test_tags_are_in_natural_order_after_the_one_outside(load_tags):
    loaded = load_tags([["B-x10", "O"], ["B-x9", "I-x9"]] * 10)
    assert loaded.labels.names == ("O", "B-x9", "B-x10", "I-x9")


@pytest.mark.parametrize(
    ("tags", "note"),
    [
        (
            [["B-per", "O"], ["B-per", "I-per"], ["B-loc", "O"]],
            "tags: BIO, 2 kinds of entity (loc, per), scored as whole entities",
        ),
        ([["I-per", "O"], ["I-per", "B-per"]], "tags: IOB1, 1 kind of entity (per), scored as"),
        ([["I-per", "B-loc"], ["O", "O"]], "tags: BIO, 2 kinds of entity (loc, per), scored as"),
        ([["O", "E-per"], ["I-per", "E-per"]], "tags: IOE, 1 kind of entity (per), scored as"),
        ([["O", "U-LOC"], ["O", "U-PER"]], "tags: BILOU, 2 kinds of entity (LOC, PER), scored as"),
        ([["B", "M", "E", "S"]], "tags: BMEWO, 1 kind of entity, scored as whole entities"),
        ([["o", "loc_S"], ["o", "b_B"], ["o", "b_E"]], "tags: IOBES, 2 kinds of entity (b, loc)"),
        ([["NOUN", "VERB"]], "tags: 2 classes, scored word by word: 'NOUN' has no prefix such as"),
        ([["B-a", "L-a", "E-a"]], "tags: 3 classes, scored word by word: no scheme is made of B,"),
        ([[0, 1, -100]], "has no prefix such as B- or I-; data.label_names=[O, B-…, I-…] names"),
    ],
)
def test_the_scheme_of_tags_is_noted(load_tags, tags, note):
    loaded = load_tags(tags * 10)
    assert [line for line in loaded.notes if note in line]
    is_scheme = "entity" in note
    usual = TokenClassification().metrics(loaded.labels)
    assert usual == (("seqeval",) if is_scheme else ("token_accuracy",))


def test_names_of_tags_that_the_recipe_gives_have_a_scheme(load_tags):
    loaded = load_tags([[0, 1, 2], [1, 1, 0]] * 10, label_names=["O", "B-x", "I-x"])
    assert [line for line in loaded.notes if "tags: BIO, 1 kind of entity (x)" in line]
