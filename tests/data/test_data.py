"""From a source to train, validation and test sets: what is chosen, noted and refused.

Every test writes small files and loads them as a recipe would.
"""

import re
from collections import Counter

import pyarrow.parquet
import pytest
from datasets import Audio, ClassLabel, Dataset, Features, List, Value
from pydantic import ValidationError

from pipelines import data
from pipelines.core.errors import DataError
from pipelines.data.sources.files import Files
from pipelines.data.split_names import SplitNames
from pipelines.tasks._classification import Classification
from pipelines.tasks.image_classification import ImageClassification
from pipelines.tasks.text_classification import TextClassification

pytestmark = pytest.mark.usefixtures("own_cache")

SENTIMENT = Features(text=Value("string"), label=ClassLabel(names=["negative", "positive"]))


@pytest.fixture
def load(tmp_path):
    """load({split: {column: values}}, **section) -> Data."""

    def load(splits, /, features=None, task=None, **section):
        for name, columns in splits.items():
            Dataset.from_dict(columns, features=features).to_parquet(tmp_path / f"{name}.parquet")
        source = Files(source="files", path=str(tmp_path), **section)
        return data.load(source, task or TextClassification(), seed=42)

    return load


@pytest.fixture
def refuse(load):
    """refuse(message, {split: …}, **section): loading raises a DataError with that message."""

    def refuse(message, splits, /, **section):
        with pytest.raises(DataError, match=re.escape(message)):
            load(splits, **section)

    return refuse


def rows(num_rows, labels=(0, 1), prefix="text"):
    """Texts that are all different, with `labels` in turn."""
    return {
        "text": [f"{prefix} {i}" for i in range(num_rows)],
        "label": [labels[i % len(labels)] for i in range(num_rows)],
    }


def with_labels(*labels):
    return {"text": [f"text {i}" for i in range(len(labels))], "label": list(labels)}


# Which split serves as train, validation and test


def test_a_share_beside_the_default_one_leaves_some_of_train(refuse):
    message = "so 0.1 of train is cut off for it, which leaves nothing beside test=0.95"
    refuse(message, {"train": rows(20)}, splits={"test": 0.95})


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev", "eval"])
def test_splits_are_found_by_their_usual_names(load, name):
    loaded = load({"train": rows(10), name: rows(4), "test": rows(6)}, SENTIMENT)
    assert [len(split) for split in loaded.datasets.values()] == [10, 4, 6]
    assert loaded.notes == ()


def test_named_splits_win_over_usual_names(load):
    splits = {"train": rows(10), "books": rows(8), "test": rows(6), "validation": rows(4)}
    loaded = load(splits, splits={"train": "books", "validation": "test"})
    assert len(loaded.train) == 8
    assert len(loaded.validation) == 6
    assert loaded.test is None  # the split of that name serves as another one already


def test_null_means_no_test_split(load):
    splits = {"train": rows(10), "validation": rows(4), "test": rows(6)}
    assert load(splits, splits={"test": None}).test is None


def test_without_validation_a_tenth_of_train_is_set_aside(load):
    loaded = load({"train": rows(200, labels=[0, 0, 0, 1]), "test": rows(6)}, SENTIMENT)
    assert Counter(loaded.validation["label"]) == {0: 15, 1: 5}
    assert len(loaded.test) == 6
    assert loaded.notes == (
        "no validation split: 10 % of train (20 examples) set aside, stratified, seed 42",
    )


def test_validation_cannot_be_null(load):
    assert len(load({"train": rows(20)}, splits={"validation": None}).validation) == 2


def test_splits_cut_from_train_share_no_example(load):
    loaded = load({"train": rows(100)}, splits={"validation": 0.2, "test": 0.3})
    texts = [set(split["text"]) for split in loaded.datasets.values()]
    assert [len(split) for split in texts] == [50, 20, 30]
    assert len(set.union(*texts)) == 100


def test_another_seed_sets_other_examples_aside(tmp_path):
    Dataset.from_dict(rows(100)).to_parquet(tmp_path / "train.parquet")
    source = Files(source="files", path=str(tmp_path))
    first, again, other = (
        data.load(source, TextClassification(), seed).validation["text"][:] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_class_with_one_example_stays_in_train(load):
    loaded = load({"train": with_labels(*["common"] * 30, "rare")}, splits={"validation": 0.5})
    assert "rare" in loaded.train["label"][:]
    assert len(loaded.validation) == 16
    assert "classes whose only example stays in train: 1" in loaded.notes


@pytest.mark.parametrize("splits", [{"validation": 0.0}, {"test": 1.0}, {"validation": 500}])
def test_a_share_lies_between_0_and_1(splits):
    with pytest.raises(ValidationError, match="shares of train lie between 0 and 1"):
        SplitNames(**splits)


def test_shares_leave_something_to_train_on():
    with pytest.raises(ValidationError, match=r"is left; got 0\.6 and 0\.4"):
        SplitNames(validation=0.6, test=0.4)


def test_refuses_a_split_that_is_not_there(refuse):
    message = "data.splits.validation: no split 'tets'; did you mean 'test'? known: test, train"
    refuse(message, {"train": rows(4), "test": rows(4)}, splits={"validation": "tets"})


def test_never_trains_on_a_test_split(refuse):
    refuse("no split 'train'; set data.splits.train=…; known: test", {"test": rows(4)})


def test_refuses_one_split_for_two(refuse):
    message = "data.splits: 'train' is named twice, but splits never share an example"
    refuse(message, {"train": rows(4)}, splits={"train": "train", "validation": "train"})


def test_train_cannot_be_test_also(refuse):
    message = "data.splits.test: 'train' is the split to train on"
    refuse(message, {"train": rows(20)}, splits={"test": "train"})


def test_ids_in_place_of_labels_are_named_as_the_cause_where_nothing_can_be_set_aside(refuse):
    ids = {"text": ["x"] * 30, "label": [f"id{i}" for i in range(30)]}
    refuse(
        "each has a class of its own, and train keeps one of each; if these are ids", {"train": ids}
    )


def test_refuses_an_empty_split(refuse):
    refuse("validation: the split is empty", {"train": rows(4), "validation": rows(0)})


def test_refuses_to_split_a_train_split_that_is_too_small(refuse):
    refuse(
        "train: its 2 examples are too few to cut a validation split from them", {"train": rows(2)}
    )


# Which column plays which role


def test_a_guessed_column_is_noted(load):
    splits = {"train": {"sentence": list("abcdefgh"), "idx": [0] * 8, "label": [0, 1] * 4}}
    loaded = load(splits)
    assert loaded.train.column_names == ["text", "label"]
    assert "columns: text is 'sentence'" in loaded.notes


def test_pairs_are_found(load):
    pairs = {"sentence1": list("abcd"), "sentence2": list("efgh"), "label": [0, 1] * 2}
    loaded = load({"train": pairs, "validation": pairs})
    assert loaded.train[0] == {"text": "a", "text_pair": "e", "label": 0}


def test_naming_one_input_names_them_all(load):
    pairs = {"sentence1": list("abcd"), "sentence2": list("efgh"), "label": [0, 1] * 2}
    loaded = load({"train": pairs, "validation": pairs}, columns={"text": "sentence2"})
    assert loaded.train[0] == {"text": "e", "label": 0}


def test_columns_can_swap_their_names(load):
    swapped = {"label": list("abcd"), "text": [0, 1] * 2}
    loaded = load(
        {"train": swapped, "validation": swapped}, columns={"text": "label", "label": "text"}
    )
    assert loaded.train[1] == {"text": "b", "label": 1}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"txt": "text"}, "unknown role 'txt'; did you mean 'text'? known: label, text, text_pair"),
        ({"text": "txt"}, "train has no column 'txt'; did you mean 'text'? known: label, text"),
        ({"text": "text", "text_pair": "text"}, "'text' has two roles"),
        ({"text": ["text", "txt"]}, "train has no column 'txt'; did you mean 'text'?"),
    ],
)
def test_refuses_columns_that_cannot_be_meant(refuse, columns, message):
    refuse(message, {"train": rows(4)}, columns=columns)


def test_refuses_a_role_that_no_column_plays(refuse):
    message = "no column is obviously the image (looked for image, img"
    refuse(message, {"train": {**rows(4), "id": [*range(4)]}}, task=ImageClassification())
    refuse("data.columns.image=…; columns: text, label", {}, task=ImageClassification())


@pytest.mark.parametrize("split", ["validation", "test"])
def test_columns_of_other_splits_are_those_of_train_in_any_case(load, split):
    others = {"Text": ["good", "bad"], "LABEL": [1, 0]}
    loaded = load({"train": rows(20), split: others})
    assert loaded.datasets[split][:] == {"text": ["good", "bad"], "label": [1, 0]}
    assert f"{split}: column 'Text' is train's 'text', 'LABEL' is train's 'label'" in loaded.notes


def test_refuses_a_split_that_lacks_a_column(refuse):
    other = {"sentence": list("ab"), "label": [0, 1]}
    message = "validation: no column 'text', which train has; known: label, sentence"
    refuse(message, {"train": rows(4), "validation": other})


class Sounds(Classification):
    modality = "audio"
    roles = {"audio": ("audio",), "label": ("label",)}

    def corrupt_rows(self, dataset):
        assert dataset[0]["audio"]["bytes"] == b"RIFF"
        return iter(())


def test_sounds_in_tables_are_left_undecoded(tmp_path):
    features = Features(audio=Audio(sampling_rate=16_000), label=Value("string"))
    rows = {"audio": [{"bytes": b"RIFF", "path": "x.wav"}] * 4, "label": ["yes", "no"] * 2}
    table = pyarrow.table(rows, schema=features.arrow_schema)
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
    loaded = data.load(Files(source="files", path=str(tmp_path)), Sounds(), seed=42)
    assert loaded.train.features["audio"] == Audio(sampling_rate=16_000, decode=False)


# Labels


def test_columns_of_0_and_1_become_one_multi_label_column(load):
    split = {"text": list("abc"), "joy": [1, 0, 1], "fear": [0, 0, 1]}
    loaded = load({"train": split, "validation": split}, columns={"label": ["joy", "fear"]})
    assert loaded.labels.problem_type == "multi_label_classification"
    assert loaded.labels.names == ("joy", "fear")
    assert loaded.train["label"][:] == [[0], [], [0, 1]]
    assert loaded.labels.encode(loaded.train["label"], "train") == [[1, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize("spell", [bool, lambda v: str(bool(v)), lambda v: str(bool(v)).lower()])
def test_columns_of_true_and_false_are_columns_of_0_and_1(load, spell):
    joy, fear = ([spell(value) for value in column] for column in ([1, 0, 1], [0, 0, 1]))
    split = {"text": list("abc"), "joy": joy, "fear": fear}
    loaded = load({"train": split, "validation": split}, columns={"label": ["joy", "fear"]})
    assert loaded.train["label"][:] == [[0], [], [0, 1]]


def test_refuses_other_values_than_0_and_1_there(refuse):
    split = {"text": list("ab"), "joy": [1, 0], "fear": [0, 3]}
    message = "train, row 1: column 'fear' is 3; expected 0 or 1"
    refuse(message, {"train": split}, columns={"label": ["joy", "fear"]})


def test_lists_are_multi_label(load):
    features = Features(text=Value("string"), label=List(ClassLabel(names=["joy", "fear"])))
    loaded = load({"train": with_labels(*[[0], [], [0, 1]] * 4)}, features)
    assert loaded.labels.num_labels == 2
    assert "stratified" not in loaded.notes[0]


def test_floats_are_a_regression_and_that_is_noted(load):
    loaded = load({"train": with_labels(*[0.5, 2.0, 3.5] * 4)})
    assert loaded.labels.problem_type == "regression"
    assert any("labels are floats, so the task is a regression" in note for note in loaded.notes)


def test_minus_one_is_a_class_where_ids_have_no_names(load):
    loaded = load({"train": rows(12, labels=[-1, 0, 1])})
    assert loaded.labels.names == ("-1", "0", "1")


def test_a_hidden_test_split_is_left_out_and_that_is_noted(load):
    loaded = load({"train": rows(20), "test": with_labels(-1, -1)}, SENTIMENT)
    assert loaded.test is None
    assert "test split has no labels (-1): not used" in loaded.notes


def test_a_test_split_without_a_label_column_is_left_out(load):
    loaded = load({"train": rows(20), "test": {"text": ["a", "b"]}})
    assert loaded.test is None
    assert "test split has no label column: not used" in loaded.notes


def test_refuses_a_hidden_test_split_that_was_asked_for(refuse):
    splits = {"train": rows(20), "test": with_labels(-1, -1)}
    message = "test, row 0: no label (-1); 2 of 2 rows have none"
    refuse(message, splits, features=SENTIMENT, splits={"test": "test"})


@pytest.mark.parametrize("absent", [None, ""])
def test_refuses_rows_without_a_label(refuse, absent):
    message = f"train, row 2: no label ({absent!r}); 1 of 3 rows have none: fix or remove"
    refuse(message, {"train": with_labels("good", "bad", absent)})


def test_a_gap_does_not_make_classes_a_regression(tmp_path):
    # one empty cell turns a column of integers into floats
    (tmp_path / "train.csv").write_text("text,label\na,0\nb,1\nc,\n")
    source = Files(source="files", path=str(tmp_path / "train.csv"))
    with pytest.raises(DataError, match="train, row 2: no label"):
        data.load(source, TextClassification(), seed=42)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["0", "1", "", "1"], ("0", "1")),
        (["0.5", "1", "", "1"], ()),
        (["1.0", "2.0", "1.0", "2.0"], ()),  # no gap: floats were meant
        (["0.0", "1.0", "0.0", "1.0"], ("0", "1")),  # but for no and yes
    ],
)
def test_whole_numbers_around_a_gap_stay_classes(tmp_path, labels, names):
    lines = [f"text {i},{label}\n" for i, label in enumerate(labels * 4)]
    (tmp_path / "train.csv").write_text("text,label\n" + "".join(lines))
    source = Files(source="files", path=str(tmp_path / "train.csv"), on_bad_row="skip")
    loaded = data.load(source, TextClassification(), seed=42)
    kind = "single_label_classification" if names else "regression"
    assert (loaded.labels.problem_type, loaded.labels.names) == (kind, names)


def test_refuses_a_single_class(refuse):
    message = "train: column 'label' holds 'positive' only; need two classes"
    refuse(message, {"train": with_labels(1, 1, 1)}, features=SENTIMENT)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_refuses_a_label_that_train_does_not_teach(refuse, split):
    splits = {"train": with_labels("good", "bad"), "validation": with_labels("good")}
    splits[split] = with_labels("bad", "so-so")
    message = f"{split}, row 1: label 'so-so' does not occur in train; it has 'bad', 'good'"
    refuse(message, splits)


def test_refuses_a_declared_class_that_train_does_not_teach(refuse):
    features = Features(text=Value("string"), label=ClassLabel(names=["bad", "good", "so-so"]))
    splits = {"train": rows(4), "validation": with_labels(0, 2)}
    refuse("validation, row 1: label 'so-so' does not occur in train", splits, features=features)


def test_a_declared_class_without_examples_is_noted(load):
    features = Features(text=Value("string"), label=ClassLabel(names=["bad", "good", "so-so"]))
    loaded = load({"train": rows(20)}, features)
    assert loaded.labels.num_labels == 3
    assert "1 of 3 classes have no example in train: so-so" in loaded.notes


def test_refuses_class_ids_that_mean_something_else(tmp_path):
    for name, names in {"train": ["bad", "good"], "validation": ["good", "bad"]}.items():
        features = Features(text=Value("string"), label=ClassLabel(names=names))
        Dataset.from_dict(rows(4), features=features).to_parquet(tmp_path / f"{name}.parquet")
    source = Files(source="files", path=str(tmp_path))
    with pytest.raises(DataError, match="validation: class 0 is called 'good', but 'bad' in train"):
        data.load(source, TextClassification(), seed=42)


# Limits


def test_limits_are_exact_and_stratified(load):
    balanced, skewed = rows(500, labels=range(10)), rows(90, labels=[0, 0, 1])
    splits = {"train": balanced, "validation": skewed, "test": rows(5)}
    digits = Features(text=Value("string"), label=ClassLabel(num_classes=10))
    loaded = load(splits, digits, limit={"train": 100, "validation": 10, "test": 50})
    assert set(Counter(loaded.train["label"]).values()) == {10}
    assert Counter(loaded.validation["label"]) == {0: 7, 1: 3}
    assert len(loaded.test) == 5  # fewer than the limit: all of them
    assert loaded.notes == (
        "train: 100 of 500 examples (data.limit.train), stratified, seed 42",
        "validation: 10 of 90 examples (data.limit.validation), stratified, seed 42",
    )


def test_limits_keep_the_classes_of_the_whole_split(load):
    loaded = load(
        {"train": rows(100, labels=range(10)), "validation": rows(10, labels=range(10))},
        limit={"train": 3},
    )
    assert len(loaded.train) == 3
    assert loaded.labels.num_labels == 10


def test_limits_come_after_sets_are_set_aside(load):
    loaded = load({"train": rows(1000)}, limit={"train": 50})
    assert len(loaded.validation) == 100
    assert not set(loaded.train["text"]) & set(loaded.validation["text"])


def test_limits_without_classes_are_plain_draws(load):
    loaded = load({"train": with_labels(*[0.1, 0.2, 0.3, 0.4] * 25)}, limit={"train": 7})
    assert len(loaded.train) == 7


# Rows


def test_only_rows_that_are_used_are_checked(load, refuse):
    train = with_labels(*[0, 1] * 50)
    train["text"][7] = None
    refuse("train, row 7: text is None; expected a string", {"train": train, "dev": rows(4)})
    load({"train": train, "dev": rows(4)}, limit={"train": 4})


@pytest.mark.parametrize(("split", "origin"), [("train", ""), ("validation", " of train")])
def test_a_row_is_named_by_its_place_in_the_split_it_came_from(load, split, origin):
    train = rows(40)
    drawn = load({"train": train}, splits={"validation": 0.5}, limit={"train": 9})
    row = int(drawn.datasets[split]["text"][-1].removeprefix("text "))
    train["text"][row] = None
    with pytest.raises(DataError, match=rf"^{split}, row {row}{origin}: text is None; expected"):
        load({"train": train}, splits={"validation": 0.5}, limit={"train": 9})
