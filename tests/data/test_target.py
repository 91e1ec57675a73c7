"""Rows of another domain: without labels to adapt to, with labels to be scored once.

Every test writes small files and loads them as a recipe would.
"""

import math
import re

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from pipelines import data
from pipelines.core.errors import DataError
from pipelines.core.labels import MULTI, REGRESSION, SINGLE, Labels
from pipelines.data.sources.files import Files
from pipelines.tasks.text_classification import TextClassification

pytestmark = pytest.mark.usefixtures("own_cache")

SOURCE = {"text": [f"book {i}" for i in range(20)], "label": ["bad", "good"] * 10}


@pytest.fixture
def load(tmp_path):
    """load({split: {column: values}}, **keys of data.target) -> Data of SOURCE and this target."""

    def load(splits, /, train=None, features=None, **keys):
        for folder, tables in (("own", {"train": train or SOURCE}), ("other", splits)):
            (tmp_path / folder).mkdir()
            for name, columns in tables.items():
                original = features if folder == "other" else None
                table = Dataset.from_dict(columns, features=original)
                table.to_parquet(tmp_path / folder / f"{name}.parquet")
        target = {"source": "files", "path": str(tmp_path / "other"), **keys}
        source = Files(source="files", path=str(tmp_path / "own"), target=target)
        return data.load(source, TextClassification(), seed=42)

    return load


@pytest.fixture
def refuse(load):
    """refuse(message, {split: …}, **keys): loading raises a DataError with that message."""

    def refuse(message, splits, /, **keys):
        with pytest.raises(DataError, match=re.escape(message)):
            load(splits, **keys)

    return refuse


def rows(num_rows, *labels, prefix="plug"):
    """Texts, with `labels` in turn where some are given."""
    texts = {"text": [f"{prefix} {i}" for i in range(num_rows)]}
    if not labels:
        return texts
    return {**texts, "label": [labels[i % len(labels)] for i in range(num_rows)]}


def test_train_of_a_target_is_adapted_to_without_labels_and_test_is_scored(load):
    target = load({"train": rows(6), "test": rows(4, "good", "bad", prefix="wire")}).target
    assert target.unlabeled.dataset.column_names == ["text"]
    assert target.unlabeled.dataset["text"][:2] == ["plug 0", "plug 1"]
    assert target.labeled.dataset.to_dict() == rows(4, "good", "bad", prefix="wire")


def test_one_table_is_both_and_a_note_says_so(load):
    loaded = load({"train": rows(6, "bad", "good")})
    assert (len(loaded.target.unlabeled), len(loaded.target.labeled)) == (6, 6)
    assert loaded.target.unlabeled.dataset.column_names == ["text"]
    assert any("target: one table of 6 rows" in note for note in loaded.notes)
    assert any("data.target.splits.test" in note for note in loaded.notes)


def test_a_target_needs_no_labels(load):
    loaded = load({"train": rows(6)})
    assert loaded.target.labeled is None
    assert "target: no labels: it is adapted to, and not scored" in loaded.notes


def test_rows_without_a_label_are_adapted_to_and_not_scored(load):
    loaded = load({"train": rows(6, "bad", None)})
    assert (len(loaded.target.unlabeled), len(loaded.target.labeled)) == (6, 3)
    note = "3 of 6 rows adapted to, and not scored: row 1: no label"
    assert any(note in each for each in loaded.notes), loaded.notes


def test_splits_and_limits_of_a_target_are_its_own(load):
    tables = {"pool": rows(8, "bad", "good"), "exam": rows(6, "bad", "good", prefix="wire")}
    loaded = load(tables, splits={"train": "pool", "test": "exam"}, limit={"train": 5, "test": 2})
    assert (len(loaded.target.unlabeled), len(loaded.target.labeled)) == (5, 2)
    assert "target: train: 5 of 8 examples (data.target.limit.train), seed 42" in loaded.notes


def test_a_share_of_a_target_is_scored_and_the_rest_adapted_to(load):
    target = load({"train": rows(10, "bad", "good")}, splits={"test": 0.3}).target
    assert (len(target.unlabeled), len(target.labeled)) == (7, 3)
    assert not {*target.unlabeled.dataset["text"]} & {*target.labeled.dataset["text"]}


def test_a_limit_of_test_holds_for_one_table_too(load):
    target = load({"train": rows(10, "bad", "good")}, limit={"test": 4}).target
    assert (len(target.unlabeled), len(target.labeled)) == (10, 4)


def test_a_table_of_any_name_is_a_target(load):
    assert len(load({"exam": rows(3)}).target.unlabeled) == 3


def test_columns_of_other_names_are_found_and_noted(load):
    table = {"review": ["plug"], "category": ["good"]}
    loaded = load({"train": table})
    assert loaded.target.labeled.dataset.to_dict() == {"text": ["plug"], "label": ["good"]}
    assert "target: columns: text is 'review', label is 'category'" in loaded.notes


def test_columns_of_a_target_can_be_named(load):
    table = {"a": ["plug"], "b": ["good"], "text": ["no"]}
    target = load({"train": table}, columns={"text": "a", "label": "b"}).target
    assert target.labeled.dataset.to_dict() == {"text": ["plug"], "label": ["good"]}


def test_classes_are_the_same_by_name_and_not_by_number(load):
    declared = Features(text=Value("string"), label=ClassLabel(names=["good", "bad"]))
    target = load({"train": rows(2, 0, 1)}, features=declared).target
    assert target.labeled.dataset["label"][:] == ["good", "bad"]


def test_labels_that_the_source_lacks_are_refused_by_the_difference(refuse):
    refuse(
        "data.target: 2 of 6 labels do not occur in train: 'fair'; train has 'bad', 'good'; rename "
        "them (or the classes of train, by label_names of data), remove these rows",
        {"train": rows(6, "bad", "fair", "good")},
    )


def test_numbers_to_predict_are_read_as_those_of_train(load):
    train = {"text": SOURCE["text"], "label": [i / 4 for i in range(20)]}
    loaded = load({"train": rows(2, "0.5", "2")}, train=train)
    column = loaded.target.labeled.dataset["label"][:]
    assert loaded.labels.encode(column, "target") == [0.5, 2.0]


def test_mistakes_name_the_keys_of_the_target(refuse):
    refuse("data.target: no column is obviously the text", {"train": {"a": ["x"], "b": ["y"]}})


def test_an_unknown_split_is_refused_by_the_nearest(refuse):
    message = "data.target: data.target.splits.test: no split 'exams'; did you mean 'exam'?"
    refuse(message, {"pool": rows(3), "exam": rows(3)}, splits={"test": "exams"})


def test_of_several_splits_one_has_to_be_named(refuse):
    message = "data.target: no split 'train'; set data.target.splits.train=…"
    refuse(message, {"pool": rows(3), "exam": rows(3)})


def test_an_empty_split_is_refused(refuse):
    table = {"text": [], "label": []}
    refuse("data.target: train: the split is empty", {"train": table})


def test_a_label_column_that_is_not_there_is_refused(refuse):
    message = "data.target.columns.label: no column 'mood'; leave it out where the target has no"
    refuse(message, {"train": rows(3)}, columns={"label": "mood"})


def test_rows_that_cannot_be_read_are_refused_by_the_key_that_leaves_them_out(refuse):
    table = {"text": ["plug", None], "label": ["bad", "good"]}
    refuse("target train, row 1: text is None; expected a string", {"train": table})


def test_rows_that_cannot_be_read_are_left_out_and_listed(load):
    table = {"text": ["plug", None], "label": ["bad", "good"]}
    loaded = load({"train": table}, on_bad_row="skip")
    assert (len(loaded.target.unlabeled), len(loaded.target.labeled)) == (1, 1)
    assert {bad.split for bad in loaded.left_out} == {"target train"}


def test_rows_that_the_model_cannot_take_are_left_out_of_a_target_too(load):
    class Picky(TextClassification):
        def unsupported_rows(self, dataset, processor, config, augmentation=None):
            yield from ((i, "a plug") for i, text in enumerate(dataset["text"]) if "plug" in text)

    loaded = load({"train": {"text": ["plug", "wire"], "label": ["bad", "good"]}})
    message = "data.target.on_bad_row=skip"
    with pytest.raises(DataError, match=re.escape(message)):
        data.drop_unsupported_rows(loaded, Picky(), None, None, skip=False)


def test_what_chooses_never_sees_labels_of_a_target(load):
    loaded = load({"train": rows(6, "bad", "good")}).without_target_labels()
    assert loaded.target.labeled is None
    assert len(loaded.target.unlabeled) == 6


@pytest.mark.parametrize("kind", [SINGLE, MULTI, REGRESSION])
def test_an_absent_label_is_nothing_that_a_loss_could_learn(kind):
    (absent,) = Labels(kind, ("bad", "good"), ("bad", "good")).unlabeled.encode([0], "data")
    values = absent if kind == MULTI else [absent]
    assert len(values) == (2 if kind == MULTI else 1)
    assert all(value == -100 if kind == SINGLE else math.isnan(value) for value in values)
