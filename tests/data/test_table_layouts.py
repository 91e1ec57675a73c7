"""Folders of tables as people, `datasets` and the Hub lay them out, and columns by their names."""

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from pydantic import ValidationError

from pipelines.core.errors import DataError
from pipelines.data import columns
from pipelines.data.sources.files import Files
from pipelines.data.splits import assign

pytestmark = pytest.mark.usefixtures("own_cache")

ROLES = {"text": ("text", "sentence"), "text_pair?": ("text_pair",), "label": ("label", "target")}


def texts(path, **section):
    """Load a folder: split -> its texts."""
    source = Files(source="files", path=str(path), **section)
    assert len(source.identity()["sha256"]) == 64
    return {split: dataset["text"][:] for split, dataset in source.load().items()}


def write(root, **contents):
    """write(root, train__a="x") makes train/a.csv with the text x."""
    for name, text in contents.items():
        file = root / f"{name.replace('__', '/')}.csv"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"text,label\n{text},1\n")


def test_the_recipe_names_the_file_of_each_split(tmp_path):
    write(tmp_path, learn="a", exam1="b", exam2="c")
    loaded = texts(tmp_path, splits={"train": "learn.csv", "test": "exam*.csv"})
    assert loaded["learn.csv"] == ["a"]
    assert loaded["exam*.csv"] == ["b", "c"]


def test_lists_of_files_are_one_split_each(tmp_path):
    write(tmp_path, learn="a", more__exam1="b", more__exam2="c", other="d", dev="e")
    (tmp_path / "other[1].csv").write_text("text,label\nf,1\n")
    (tmp_path / "broken.csv").write_text("text,label\nx\n")  # which no split names
    splits = {"train": ["learn.csv", "other[1].csv"], "test": ["more/*2.csv", "more/exam?.csv"]}
    loaded = texts(tmp_path, splits=splits)
    assert loaded == {
        "dev": ["e"],
        "learn.csv, other[1].csv": ["a", "f"],
        "more/*2.csv, more/exam?.csv": ["c", "b"],
    }
    source = Files(source="files", path=str(tmp_path), splits=splits)
    chosen = assign(source.load(), source.splits)
    assert {split: rows["text"][:] for split, rows in chosen.datasets.items()} == {
        "train": ["a", "f"],
        "validation": ["e"],
        "test": ["c", "b"],
    }


def test_files_of_splits_need_no_path_and_may_lie_anywhere(tmp_path, monkeypatch):
    write(tmp_path, here__learn="a", away__exam="b")
    monkeypatch.chdir(tmp_path / "here")
    away = str(tmp_path / "away" / "exam.csv")
    source = Files(source="files", splits={"train": "learn.csv", "test": [away]})
    assert {name: rows["text"][:] for name, rows in source.load().items()} == {
        "learn.csv": ["a"],
        away: ["b"],
    }
    before = source.identity()["sha256"]
    write(tmp_path, away__exam="c")
    source.load()
    assert source.identity()["sha256"] != before
    beside = texts("learn.csv", splits={"test": away})
    assert beside == {"train": ["a"], away: ["c"]}


@pytest.mark.parametrize(
    ("splits", "reason"),
    [
        ({"train": ["learn.csv", "lern.csv"]}, "no table 'lern.csv' in .*did you mean 'learn.csv'"),
        ({"train": "learn.csv", "test": "*.csv"}, "learn.csv is a file of train as well"),
        ({"train": ["notes.md"]}, "notes.md: not a table that can be read; known: .parquet"),
    ],
)
def test_refuses_files_that_cannot_be_a_split(tmp_path, splits, reason):
    write(tmp_path, learn="a", exam="b")
    (tmp_path / "notes.md").touch()
    with pytest.raises(DataError, match=reason):
        texts(tmp_path, splits=splits)


def test_a_recipe_names_a_path_or_files():
    with pytest.raises(ValidationError, match="missing key 'path', a file or a folder; or name"):
        Files(source="files")
    with pytest.raises(ValidationError, match="names nothing; expected a split, or files such as"):
        Files(source="files", splits={"train": []})


def test_a_folder_for_each_split(tmp_path):
    write(tmp_path, train__part0="a", train__part1="b", test__part0="c")
    assert texts(tmp_path) == {"test": ["c"], "train": ["a", "b"]}


def test_a_clone_of_a_hub_repository(tmp_path):
    (tmp_path / "README.md").write_text("# Texts")
    (tmp_path / "data").mkdir()
    for i, text in enumerate("ab"):
        shard = Dataset.from_dict({"text": [text]})
        shard.to_parquet(tmp_path / "data" / f"train-0000{i}-of-00002.parquet")
    assert texts(tmp_path) == {"train": ["a", "b"]}


def test_what_save_to_disk_has_written(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    train = Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    train.save_to_disk(tmp_path / "one")
    DatasetDict({"train": train, "test": train.select([1])}).save_to_disk(tmp_path / "two")
    assert texts(tmp_path / "one") == {"train": ["a", "b"]}
    assert texts(tmp_path / "two") == {"train": ["a", "b"], "test": ["b"]}
    loaded = Files(source="files", path=str(tmp_path / "one")).load()["train"]
    assert loaded.features == features
    (tmp_path / "one" / "state.json").write_text("{}")
    with pytest.raises(DataError, match="one: damaged, as saved by save_to_disk"):
        texts(tmp_path / "one")


# Columns


def test_columns_are_found_in_any_case():
    assigned, guessed = columns.assign(["Text", "LABEL"], ROLES, {})
    assert assigned == guessed == {"text": "Text", "label": "LABEL"}
    assert columns.assign(["TEXT", "text", "label"], ROLES, {})[0]["text"] == "text"


def test_of_two_columns_the_other_one_is_the_input():
    assert columns.assign(["tweet", "label"], ROLES, {})[0] == {"text": "tweet", "label": "label"}
    assert columns.assign(["tweet", "mood"], ROLES, {"label": "mood"})[0]["text"] == "tweet"
    with pytest.raises(DataError, match=r"obviously the label .*; set data.columns.label=mood;"):
        columns.assign(["text", "mood"], ROLES, {})


def test_all_missing_columns_are_named_at_once():
    with pytest.raises(DataError) as refused:
        columns.assign(["a", "b", "c"], ROLES, {})
    assert "set data.columns.text=… data.columns.label=…; columns: a, b, c" in str(refused.value)
