"""Tables in text: their dialect, and columns as the file spells them."""

import gzip
import os

import pytest
from pydantic import ValidationError

from pipelines.core.errors import DataError
from pipelines.data import load
from pipelines.data.sources.files import Files
from pipelines.tasks.multiple_choice import MultipleChoice
from pipelines.tasks.text_classification import TextClassification

pytestmark = pytest.mark.usefixtures("own_cache")


def read(path, content, **section):
    """Write a file, and load the folder that it is in."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Files(source="files", path=str(path), **section).load()


def refuse(path, content, *messages, **section):
    with pytest.raises(DataError) as refused:
        read(path, content, **section)
    for message in messages:
        assert message in str(refused.value)


# Content decides


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table_replaced_by_one_of_the_same_size_and_time_is_read_again(tmp_path, suffix):
    from datasets import Dataset

    path = tmp_path / f"train.{suffix}"
    seen, identities = [], []
    for text in ("good", "evil"):
        table = Dataset.from_dict({"text": [text], "label": [1]})
        getattr(table, {"csv": "to_csv", "jsonl": "to_json"}.get(suffix, "to_parquet"))(path)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        source = Files(source="files", path=str(path))
        train = source.load()["train"]
        seen.append((train["text"][0], train._fingerprint))
        identities.append(source.identity()["sha256"])
    assert [text for text, _ in seen] == ["good", "evil"]
    assert seen[0][1] != seen[1][1]  # what was computed from the rows is cached by this
    assert identities[0] != identities[1]


def test_the_lock_names_what_was_read_and_not_what_came_later(tmp_path):
    path = tmp_path / "train.csv"
    read(path, "text,label\ngood,1\n")
    source = Files(source="files", path=str(path))
    before = source.identity()
    path.write_text("text,label\nevil,1\n")
    assert source.identity() == before
    source.load()
    assert source.identity() != before


# Dialects


@pytest.mark.parametrize(
    ("separator", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")]
)
def test_the_separator_is_detected_and_noted(tmp_path, separator, word):
    rows = [["text", "label"], ["well, yes", "a"], ["no, never", "b"]]
    content = "".join(separator.join(row) + "\n" for row in rows)
    loaded = read(tmp_path / "train.csv", content)
    assert loaded["train"]["text"][:] == ["well, yes", "no, never"]
    assert f"train.csv: columns separated by {word} (data.separator)" in loaded.notes


def test_the_recipe_names_the_separator(tmp_path):
    content = "a;b,c\n1;x,2\n"
    assert read(tmp_path / "t.csv", content)["train"].column_names == ["a;b", "c"]
    loaded = read(tmp_path / "t.csv", content, separator=";")
    assert loaded["train"][0] == {"a": 1, "b,c": "x,2"}
    assert not loaded.notes


def test_a_tab_may_be_written_as_a_word():
    assert Files(source="files", path="x", separator="tab").separator == "\t"
    with pytest.raises(ValidationError, match="one character"):
        Files(source="files", path="x", separator="::")


@pytest.mark.parametrize(
    ("encoding", "noted"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("cp1252", "windows-1252"),
    ],
)
def test_the_encoding_is_detected_and_noted(tmp_path, encoding, noted):
    rows = "".join(f"caf\u00e9 {i} for 5 \u20ac,{'ab'[i % 2]}\n" for i in range(20))
    loaded = read(tmp_path / "train.csv", f"text,label\n{rows}".encode(encoding))
    assert loaded["train"][1] == {"text": "caf\u00e9 1 for 5 \u20ac", "label": "b"}
    assert loaded.notes == ((f"train.csv: text in {noted} (data.encoding)",) if noted else ())


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("cp1251", "\u0445\u043e\u0440\u043e\u0448\u043e"),
        ("gbk", "\u8fd9\u5bb6\u9910\u9986\u5f88\u597d"),
        ("shift_jis", "\u3068\u3066\u3082\u826f\u3044"),
    ],
)
def test_words_of_other_scripts_are_not_read_as_accents(tmp_path, encoding, word):
    content = "text,label\n" + f"{word} the place was rude and the staff poor,a\n" * 9
    refuse(tmp_path / "t.csv", content.encode(encoding), "set data.encoding", encoding)
    assert (
        word
        in read(tmp_path / "t.csv", content.encode(encoding), encoding=encoding)["train"][0]["text"]
    )


def test_lines_that_are_not_utf_8_are_named_where_others_are(tmp_path):
    content = b"text,label\ngood,a\ncaf\xc3\xa9,a\ncaf\xe9,b\n"
    refuse(tmp_path / "t.csv", content, "line 4: byte 0xe9 is not UTF-8", "data.encoding")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "txt"])
def test_an_encoding_that_a_file_is_not_in_is_refused_by_name(tmp_path, suffix, encoding):
    content = b'{"text": "good", "label": "a"}\n' if suffix == "jsonl" else b"text,label\ngood,a\n"
    refuse(
        tmp_path / f"t.{suffix}",
        content,
        f"t.{suffix}: is not text in {encoding} ",
        "set data.encoding",
        encoding=encoding,
    )


def test_numbers_in_the_role_of_a_text_are_texts_as_the_file_spells_them(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("text,label\n" + "".join(f"{i}.50,{i % 2}\n" for i in range(20)))
    loaded = load(Files(source="files", path=str(path)), TextClassification(), seed=42)
    assert "7.50" in loaded.train["text"] or "7.50" in loaded.validation["text"]
    assert {*loaded.train["label"]} == {0, 1}  # which no text is
    assert "numbers read as texts, as the file spells them: text" in loaded.notes


def test_integers_of_json_in_the_role_of_a_text_are_texts(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("".join(f'{{"text": {i}, "label": {i % 2}}}\n' for i in range(20)))
    loaded = load(Files(source="files", path=str(path)), TextClassification(), seed=42)
    texts = [*loaded.train["text"], *loaded.validation["text"]]
    assert sorted(texts) == sorted(map(str, range(20)))


def test_numbers_among_choices_are_texts_as_the_file_spells_them(tmp_path):
    path = tmp_path / "train.csv"
    rows = "".join(f"{i} + 1?,{i + 1},0{i},{i + 3}.0,A\n{i}?,1,2,{i}.0,B\n" for i in range(9))
    path.write_text(f"question,A,B,C,answer\n{rows}")
    section = {"columns": {"text": "question", "choices": ["A", "B", "C"], "label": "answer"}}
    loaded = load(Files(source="files", path=str(path), **section), MultipleChoice(), seed=42)
    assert {"1", "00", "3.0"} <= {choice for row in loaded.train["choices"] for choice in row}


@pytest.mark.parametrize("encoding", ["idna", "base64"])
def test_encodings_of_other_things_than_texts_are_unknown(encoding):
    with pytest.raises(ValidationError, match=f"no encoding '{encoding}'"):
        Files(source="files", path="x", encoding=encoding)


def test_the_recipe_names_the_encoding(tmp_path):
    content = "text\n\u0434\u0430\n".encode("cp1251")
    assert (
        read(tmp_path / "t.csv", content, encoding="cp1251")["train"][0]["text"] == "\u0434\u0430"
    )
    refuse(tmp_path / "t.csv", b"text\nx\x81y\n", "neither UTF-8", "byte 0x81", "data.encoding")
    with pytest.raises(ValidationError, match="no encoding 'utf-9'"):
        Files(source="files", path="x", encoding="utf-9")


def test_a_compressed_table_is_a_table(tmp_path):
    loaded = read(tmp_path / "train.csv.gz", gzip.compress(b"text,label\ngood,1\n"))
    assert loaded["train"][0] == {"text": "good", "label": 1}


def test_refuses_a_row_with_a_comma_too_many_by_its_line(tmp_path):
    content = 'text,label\n"two\nlines",a\nwell, yes,b\n'
    refuse(tmp_path / "t.csv", content, "t.csv, line 4: 3 columns, where the header has 2: 'well,")
    # every row has one more than the header: pandas would take the first for the row's name
    refuse(tmp_path / "t.csv", "text,label\nwell, yes,b\n", "line 2: 3 columns")
    refuse(tmp_path / "t.csv", "text,label\nwell,b\nyes\n", "line 3: 1 columns")


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("csv", "te\x00xt,label\na,b\n"),
        ("csv", "text,label\na,b\n".encode("utf-32-le")),  # without the mark that tells it
        ("jsonl", '{"te\\u0000xt": "a", "label": "b"}\n'),
        ("jsonl", '{"te\\ud800xt": "a", "label": "b"}\n'),
    ],
)
def test_a_name_that_no_table_can_hold_is_refused(tmp_path, suffix, content):
    refuse(tmp_path / f"train.{suffix}", content, "the name of column 't", "no table can hold")


def test_refuses_two_columns_of_one_name(tmp_path):
    refuse(tmp_path / "t.csv", "text,a,a\nx,1,2\n", "line 1: two columns are called 'a'")


# Columns


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["01", "1", "007"], ["01", "1", "007"]),
        (["1e5", "2e5"], ["1e5", "2e5"]),
        (["2024-01-02", "2024-01-03"], ["2024-01-02", "2024-01-03"]),
        (["True", "False"], ["True", "False"]),
        (["1", "n/a"], ["1", "n/a"]),
        ([str(10**21), "1"], [str(10**21), "1"]),
        (["1", "", "-2"], [1, None, -2]),
        (["1.5", "2", "1e3"], [1.5, 2.0, 1000.0]),
    ],
)
def test_a_column_is_numbers_only_if_all_its_cells_are(tmp_path, cells, values):
    content = "text,value\n" + "".join(f"x,{cell}\n" for cell in cells)
    column = read(tmp_path / "train.csv", content)["train"]["value"][:]
    assert column == values
    assert list(map(type, column)) == list(map(type, values))


def test_a_column_has_one_type_in_all_splits(tmp_path):
    (tmp_path / "test.csv").write_text("text,label\nx,007\n")
    (tmp_path / "train.csv").write_text("text,label\nx,7\n")
    loaded = Files(source="files", path=str(tmp_path)).load()
    assert [loaded[split]["label"][:] for split in ("train", "test")] == [["7"], ["007"]]


def test_one_empty_label_leaves_the_others_classes(tmp_path):
    rows = "".join(f"item {i},{'' if i == 7 else i % 2}\n" for i in range(40))
    (tmp_path / "train.csv").write_text(f"text,label\n{rows}")
    source = Files(source="files", path=str(tmp_path), on_bad_row="skip")
    data = load(source, TextClassification(name="text_classification"), seed=0)
    assert data.labels.names == ("0", "1")
    assert [row.row for row in data.left_out] == [7]


# What programs add


def test_the_separator_line_of_excel_is_no_row(tmp_path):
    content = "\ufeffsep=;\r\ntext;label\r\ngood, so;1\r\nbad;0\r\n"
    loaded = read(tmp_path / "t.csv", content)
    assert loaded["train"][:] == {"text": ["good, so", "bad"], "label": [1, 0]}
    assert "its first line, sep=;, is left out" in loaded.notes[0]
    refuse(tmp_path / "t.csv", f"{content}x;1;2\r\n", "line 5: 3 columns")


def test_the_space_after_each_separator_is_left_out(tmp_path):
    content = '"text", "label"\n"a, b", "good"\n"c ""d"" \ne", "bad"\n\n'
    loaded = read(tmp_path / "t.csv", content)
    assert loaded["train"][:] == {"text": ["a, b", 'c "d" \ne'], "label": ["good", "bad"]}
    assert "the space after each separator is left out" in loaded.notes[0]
    loaded = read(tmp_path / "t.csv", "text, label\ncaf\u00e9 1, 0\n, 1\n".encode("cp1252"))
    assert loaded["train"][:] == {"text": ["caf\u00e9 1", None], "label": [0, 1]}


def test_a_space_that_not_every_name_begins_with_is_of_the_value(tmp_path):
    loaded = read(tmp_path / "t.csv", "text, label,id\na, b,1\n")
    assert loaded["train"][0] == {"text": "a", " label": " b", "id": 1}
