"""`data.sources`: several labeled sources become one, whose rows remember where they are from.

Every test writes small files and loads them as a recipe would.
"""

import re
from collections import Counter

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from pipelines import data
from pipelines.core.errors import DataError
from pipelines.core.labels import MULTI, REGRESSION, SINGLE
from pipelines.data import group_folds, united_rows
from pipelines.data.rows import Rows
from pipelines.data.sources.several import Several
from pipelines.tasks.text_classification import TextClassification

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def load(tmp_path):
    """load({source: {split: columns}}, own={source: keys}, **keys of data) -> Data."""

    def load(tables, /, changes=None, features=None, max_fold_rows=0, **keys):
        sources = {}
        for name, splits in tables.items():
            (tmp_path / name).mkdir()
            for split, columns in splits.items():
                table = Dataset.from_dict(columns, features=(features or {}).get(name))
                table.to_parquet(tmp_path / name / f"{split}.parquet")
            path = str(tmp_path / name)
            sources[name] = {"source": "files", "path": path, **(changes or {}).get(name, {})}
        source = Several(source="several", sources=sources, **keys)
        return data.load(source, TextClassification(), seed=42, max_fold_rows=max_fold_rows)

    return load


@pytest.fixture
def refuse(load):
    """refuse(message, tables, **keys): loading raises a DataError with that message."""

    def refuse(message, tables, /, **keys):
        with pytest.raises(DataError, match=re.escape(message)):
            load(tables, **keys)

    return refuse


def rows(prefix, num_rows, labels=("bad", "good"), **columns):
    """Texts `prefix 0`, `prefix 1`…, with labels in turn."""
    named = [labels[i % len(labels)] for i in range(num_rows)]
    return {"text": [f"{prefix} {i}" for i in range(num_rows)], "label": named, **columns}


def counts(split_rows):
    """How many rows each source has."""
    numbers = Counter(split_rows.domains.numbers.tolist())
    return {name: numbers[i] for i, name in enumerate(split_rows.domains.names)}


def test_rows_of_all_sources_are_drawn_so_that_each_keeps_its_share_and_its_classes(load):
    loaded = load(
        {"books": {"train": rows("book", 40)}, "dvd": {"train": rows("disc", 20)}},
        splits={"validation": 0.2, "test": 0.2},
        limit={"train": 18},
    )
    for split, expected in (("train", (12, 6)), ("validation", (8, 4)), ("test", (8, 4))):
        drawn = loaded.splits[split]
        assert counts(drawn) == {"books": expected[0], "dvd": expected[1]}
        pairs = zip(drawn.domains.numbers.tolist(), drawn.dataset["label"][:], strict=True)
        assert {*Counter(pairs).values()} == {expected[0] // 2, expected[1] // 2}
        # rows remember the right source
        texts = zip(drawn.dataset["text"][:], drawn.domains.numbers.tolist(), strict=True)
        assert all(text.startswith(("book", "disc")[number]) for text, number in texts)
    assert (
        "sources: train (books 12, dvd 6); validation (books 8, dvd 4); test (books 8, dvd 4)"
        in (loaded.notes)
    )


def test_columns_of_all_sources_are_those_of_data_unless_a_source_has_its_own(load):
    table = {"review": ["a", "b", "c", "d"], "text": ["no"] * 4, "stars": [1, 2, 1, 2]}
    other = {"body": ["e", "f"], "stars": [2, 1]}
    loaded = load(
        {"books": {"train": table}, "dvd": {"train": other}},
        changes={"dvd": {"columns": {"text": "body"}}},
        columns={"text": "review", "label": "stars"},
        splits={"validation": 0.2},
    )
    texts = [*loaded.train["text"][:], *loaded.validation["text"][:]]
    assert sorted(texts) == [*"abcdef"]
    assert loaded.train.column_names == ["text", "label"]


def test_a_source_is_limited_before_anything_is_cut_from_it(load):
    loaded = load(
        {"books": {"train": rows("book", 40)}, "dvd": {"train": rows("disc", 20)}},
        changes={"books": {"limit": {"train": 20}}},
        splits={"validation": 0.1},
    )
    assert counts(loaded.splits["train"]) == {"books": 18, "dvd": 18}
    note = "books: train: 20 of 40 examples (data.sources.books.limit.train), seed 42"
    assert note in loaded.notes


def test_a_split_that_one_source_lacks_is_cut_from_its_own_train(load):
    loaded = load(
        {
            "books": {"train": rows("book", 10), "validation": rows("check", 4)},
            "dvd": {"train": rows("disc", 20), "test": rows("exam", 4)},
        },
    )
    assert counts(loaded.splits["validation"]) == {"books": 4, "dvd": 2}
    assert counts(loaded.splits["train"]) == {"books": 10, "dvd": 18}
    assert counts(loaded.splits["test"]) == {"books": 0, "dvd": 4}
    assert "test: has no rows of books, which have no such split" in loaded.notes
    assert any(note.startswith("dvd: validation: 10 % of train") for note in loaded.notes)


def test_few_rows_of_several_sources_have_folds_with_a_share_of_each(load):
    tables = {"books": {"train": rows("book", 10)}, "dvd": {"train": rows("disc", 10)}}
    loaded = load(tables, max_fold_rows=100)
    train = loaded.splits["train"]
    assert (loaded.num_folds, len(train)) == (5, 20)
    values = train.by_source(np.array([label == "good" for label in train.dataset["label"]]))
    folds = group_folds.deal(train, values, np.arange(20), 5, seed=1, note=print)
    for number in (0, 1):
        assert np.bincount(folds[train.domains.numbers == number]).tolist() == [2] * 5


def test_at_most_so_many_rows_of_a_class_are_drawn_from_all_sources_together(load):
    tables = {"books": {"train": rows("book", 20)}, "dvd": {"train": rows("disc", 20)}}
    loaded = load(tables, limit_per_class=4, splits={"validation": 0.25})
    assert len(loaded.splits["train"]) + len(loaded.splits["validation"]) == 8


# Labels


def named_classes(*names):
    return Features({"text": Value("string"), "label": ClassLabel(names=[*names])})


def test_classes_are_the_same_by_name_and_not_by_number(load):
    loaded = load(
        {
            "books": {"train": rows("book", 4, (0, 1))},
            "dvd": {"train": rows("disc", 6, (0, 1, 2))},
        },
        features={"books": named_classes("neg", "pos"), "dvd": named_classes("pos", "neg", "meh")},
        splits={"validation": 0.2},
    )
    assert loaded.labels.names == ("neg", "pos", "meh")
    everything = [*loaded.splits["train"].dataset, *loaded.splits["validation"].dataset]
    spelled = {row["text"]: loaded.labels.names[row["label"]] for row in everything}
    assert [spelled[f"book {i}"] for i in range(4)] == ["neg", "pos"] * 2
    assert [spelled[f"disc {i}"] for i in range(3)] == ["pos", "neg", "meh"]
    note = "labels are those of all sources together; 'books' has no meh"
    assert note in loaded.notes


def test_names_of_classes_and_texts_are_one_spelling(load):
    loaded = load(
        {
            "books": {"train": rows("book", 6, ("pos", "neg"))},
            "dvd": {"train": rows("d", 6, (0, 1))},
        },
        features={"dvd": named_classes("neg", "pos")},
    )
    assert (loaded.labels.names, loaded.labels.problem_type) == (("neg", "pos"), SINGLE)


def test_whole_numbers_beside_fractions_are_numbers(load):
    loaded = load(
        {
            "books": {"train": rows("book", 6, (1, 2))},
            "dvd": {"train": rows("disc", 6, (0.5, 2.5))},
        },
    )
    assert loaded.labels.problem_type == REGRESSION
    labels = {*loaded.train["label"][:], *loaded.validation["label"][:]}
    assert labels == {0.5, 1.0, 2.0, 2.5}


def test_lists_of_labels_are_united_by_name(load):
    both = {"text": ["a", "b", "c", "d"], "label": [["joy"], ["joy", "fear"], ["fear"], ["joy"]]}
    other = {"text": ["e", "f", "g", "h"], "label": [["fear"], ["awe"], ["fear"], ["awe"]]}
    loaded = load({"books": {"train": both}, "dvd": {"train": other}})
    assert (loaded.labels.problem_type, loaded.labels.names) == (MULTI, ("awe", "fear", "joy"))


def test_a_source_that_shares_no_class_with_the_others_is_refused(refuse):
    refuse(
        "data.sources.dvd: its labels (negative, positive) are none of those of the others "
        "(bad, good)",
        {
            "books": {"train": rows("book", 6)},
            "music": {"train": rows("song", 6)},
            "dvd": {"train": rows("disc", 6, ("negative", "positive"))},
        },
    )


def test_lists_beside_single_labels_are_refused(refuse):
    other = {"text": ["e", "f"], "label": [["bad"], ["good"]]}
    refuse(
        "data.sources.dvd: labels are lists in 'dvd', and one for each example in 'books'",
        {"books": {"train": rows("book", 6)}, "dvd": {"train": other}},
    )


# What does not fit


def test_other_inputs_than_those_of_the_first_source_are_refused(refuse):
    refuse(
        "data.sources.dvd: reads label, text, text_pair, and 'books' label, text; expected the",
        {
            "books": {"train": rows("book", 6)},
            "dvd": {"train": rows("disc", 6, text_pair=["x"] * 6)},
        },
    )


def test_columns_have_the_types_of_the_first_source(load):
    long_texts = Features({"text": Value("large_string"), "label": Value("string")})
    loaded = load(
        {"books": {"train": rows("book", 6)}, "dvd": {"train": rows("disc", 6)}},
        features={"dvd": long_texts},
    )
    assert loaded.train.features["text"].dtype == "string"


def test_types_that_cannot_be_one_are_refused():
    texts, lists = (Rows.of(Dataset.from_dict({"text": [v]}), "train") for v in ("a", ["a"]))
    with pytest.raises(DataError, match=r"data\.sources\.dvd: train: column 'text' holds .*List"):
        united_rows.as_first({"books": {"train": texts}, "dvd": {"train": lists}})


def test_a_mistake_in_a_source_is_told_in_its_keys(refuse):
    refuse(
        "data.sources.dvd: data.sources.dvd.columns: train has no column 'txet'",
        {"books": {"train": rows("book", 6)}, "dvd": {"train": rows("disc", 6)}},
        changes={"dvd": {"columns": {"text": "txet"}}},
    )


def test_bad_rows_name_their_source(load):
    tables = {
        "books": {"train": rows("book", 6)},
        "dvd": {"train": rows("disc", 6, ("bad", None, "good"))},
    }
    loaded = load(tables, on_bad_row="skip")
    (first, *_) = loaded.left_out
    assert str(first).startswith("train, row 1 of 'dvd': no label")
    assert (first.source, first.row) == ("dvd", 1)
    assert any("row 1 of 'dvd'" in note for note in loaded.notes)


def test_groups_are_the_same_in_all_sources_and_stay_on_one_side(load):
    people = [f"P{i // 2}" for i in range(20)]
    loaded = load(
        {
            "books": {"train": rows("book", 20, author=people)},
            "dvd": {"train": rows("disc", 20, author=people)},
        },
        group="author",
        splits={"validation": 0.3},
    )
    train, validation = (
        {*loaded.splits[split].groups.numbers.tolist()} for split in ("train", "validation")
    )
    assert not train & validation
    assert len(train | validation) == 10
    assert len(loaded.splits["train"]) == 4 * len(train)  # two rows of each source


# One source that is held out


def test_a_source_that_is_held_out_is_scored_and_not_trained_on(load):
    loaded = load(
        {
            "books": {"train": rows("book", 10)},
            "dvd": {"train": rows("disc", 10)},
            "music": {"train": rows("song", 6)},
        },
        held_out="music",
        splits={"validation": 0.2, "test": 0.2},
    )
    assert loaded.splits["train"].domains.names == ("books", "dvd")
    assert loaded.target.labeled.dataset["text"][:] == [f"song {i}" for i in range(6)]
    assert "label" not in loaded.target.unlabeled.dataset.column_names


def test_splits_of_the_source_that_is_held_out_are_its_own(load):
    loaded = load(
        {
            "books": {"train": rows("book", 10)},
            "music": {"train": rows("song", 6), "exam": rows("exam", 4)},
        },
        held_out="music",
        changes={"music": {"splits": {"test": "exam"}}},
    )
    assert (len(loaded.target.unlabeled), len(loaded.target.labeled)) == (6, 4)


def test_what_is_wrong_with_the_source_that_is_held_out_names_its_keys(refuse):
    refuse(
        "data.sources.music: 3 of 6 labels do not occur in train: 'meh'",
        {
            "books": {"train": rows("book", 10)},
            "music": {"train": rows("song", 6, ("good", "meh"))},
        },
        held_out="music",
    )
