"""Plain text: an example in each line, a word and its tag in each line, a file for each example."""

import pytest
from datasets import Dataset

from pipelines.core.errors import DataError
from pipelines.data import load as load_data
from pipelines.data.sources.files import Files
from pipelines.tasks.token_classification import TokenClassification

pytestmark = pytest.mark.usefixtures("own_cache")

TAGGED = "Ada B-PER\nsaw O\nNew-York B-LOC\n\nBo B-PER\nslept O\n\n"
SENTENCES = [["Ada", "saw", "New-York"], ["Bo", "slept"]]
TAGS = [["B-PER", "O", "B-LOC"], ["B-PER", "O"]]


def write(root, **contents):
    """write(root, train__a="x") makes train/a.txt."""
    for name, text in contents.items():
        file = root / f"{name.replace('__', '/')}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())


def load(path, **section):
    source = Files(source="files", path=str(path), **section)
    assert len(source.identity()["sha256"]) == 64
    return source.load()


def refuse(path, *messages, **section):
    with pytest.raises(DataError) as refused:
        load(path, **section)
    for message in messages:
        assert message in str(refused.value)


# A line for each example


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_line_is_an_example_and_blank_ones_are_left_out(tmp_path, end):
    write(tmp_path, train=end.join(["\ufeffIt was a day.", "", "  ", "It was a\u2028night.", ""]))
    loaded = load(tmp_path / "train.txt")
    assert loaded["train"][:] == {"text": ["It was a day.", "It was a\u2028night."]}
    assert loaded.notes == ("train.txt: an example in each line, blank lines left out",)


def test_lines_of_as_many_words_are_no_tags(tmp_path):
    write(tmp_path, train="It was day 1.\nIt was day 2.\n")
    assert load(tmp_path / "train.txt")["train"].column_names == ["text"]


def test_lines_in_files_of_their_splits_or_named_by_the_recipe(tmp_path):
    write(tmp_path, train="a\nb\n", dev="c\n", README="no split")
    assert {name: rows["text"][:] for name, rows in load(tmp_path).items()} == {
        "dev": ["c"],
        "train": ["a", "b"],
    }
    write(tmp_path / "other", one="a\n", two="b\n")
    refuse(tmp_path / "other", "nothing usable in it", 'data.splits.train="*.txt"')
    loaded = load(tmp_path / "other", splits={"train": "*.txt"})
    assert loaded["*.txt"]["text"][:] == ["a", "b"]


def test_lines_in_a_folder_for_each_split(tmp_path):
    write(tmp_path, train__1="a\n", train__2="b\n", test__1="c\n")
    assert {name: rows["text"][:] for name, rows in load(tmp_path).items()} == {
        "test": ["c"],
        "train": ["a", "b"],
    }


def test_the_encoding_of_lines_is_detected_or_set(tmp_path):
    write(tmp_path, train="naïf\n".encode("cp1252"))
    assert load(tmp_path / "train.txt")["train"]["text"][:] == ["naïf"]
    with pytest.raises(DataError, match=r"train.txt: is not text in utf-8 .*set data.encoding"):
        load(tmp_path / "train.txt", encoding="utf-8")


def test_lines_are_streamed(tmp_path):
    write(tmp_path, train="a\n\nb\n", dev="c\n")
    loaded = load(tmp_path, streaming=True)
    assert [row["text"] for row in loaded["train"]] == ["a", "b"]


# A word and its tag in each line


@pytest.mark.parametrize("name", ["train.txt", "train.conll", "train.iob", "train.bio"])
@pytest.mark.parametrize("separator", [" ", "\t", "  "])
def test_words_and_tags_are_grouped_into_sentences(tmp_path, name, separator):
    (tmp_path / name).write_text(TAGGED.replace(" ", separator))
    loaded = load(tmp_path / name)
    assert loaded["train"][:] == {"tokens": SENTENCES, "tags": TAGS}
    (note,) = loaded.notes
    shown = "tabs" if separator == "\t" else "spaces"
    assert f"its tag in the last of 2 columns separated by {shown} (CoNLL)" in note


def test_several_columns_comments_and_the_starts_of_documents(tmp_path):
    rows = ["-DOCSTART- -X- O O", "", "# id 1", "EU NNP I-NP B-ORG", "# . O O", "", "# id 2"]
    (tmp_path / "eng.conll").write_text("\n".join([*rows, "It PRP I-NP O"]))
    loaded = load(tmp_path, splits={"train": "eng.conll"})["eng.conll"]
    assert loaded[:] == {
        "tokens": [["EU", "#"], ["It"]],
        "column_2": [["NNP", "."], ["PRP"]],
        "column_3": [["I-NP", "O"], ["I-NP"]],
        "tags": [["B-ORG", "O"], ["O"]],
    }


def test_words_between_tabs_may_hold_spaces_and_lack_a_tag(tmp_path):
    write(tmp_path, train="New York\tB-LOC\n1 000\t\n")
    loaded = load(tmp_path / "train.txt", text_format="conll")["train"]
    assert loaded[:] == {"tokens": [["New York", "1 000"]], "tags": [["B-LOC", None]]}


def test_the_recipe_says_what_lines_hold(tmp_path):
    write(tmp_path, train="It was\nday NIGHT\n\n")
    loaded = load(tmp_path / "train.txt")["train"]
    assert loaded.column_names == ["text"]
    loaded = load(tmp_path / "train.txt", text_format="conll")["train"]
    assert loaded[:] == {"tokens": [["It", "day"]], "tags": [["was", "NIGHT"]]}


def test_refuses_a_line_without_its_tag(tmp_path):
    (tmp_path / "train.conll").write_text(TAGGED + "Cy\n")
    refuse(tmp_path, "train.conll, line 8: 'Cy': expected a word and its tag, 2 columns in all")
    (tmp_path / "train.conll").write_text("Ada\nsaw\n")
    refuse(tmp_path, "train.conll: one column; expected a word in each line, and its tag")


def test_tags_of_lines_are_labels_of_words(tmp_path):
    write(tmp_path, train=TAGGED * 20)
    source = Files(source="files", path=str(tmp_path))
    data = load_data(source, TokenClassification(), seed=0)
    assert data.labels.names == ("O", "B-LOC", "B-PER")
    assert len(data.train) + len(data.validation) == 40


# A word and its tag in each row

WORDS = [
    *[("s1", "Ada", "B-PER"), ("", "saw", "O"), ("", "New-York", "B-LOC")],
    *[("s2", "Bo", "B-PER"), ("", "slept", "O")],
]


def load_words(path, rows, header="Sentence #,Word,Tag", **section):
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]))
    return load_data(Files(source="files", path=str(path), **section), TokenClassification(), 0)


def sentences(data):
    rows = [row for split in data.datasets.values() for row in split.to_list()]
    assert {*rows[0]} == {"tokens", "label"}
    return sorted((row["tokens"], row["label"]) for row in rows)


def test_rows_of_words_are_grouped_by_their_sentence(tmp_path):
    expected = sorted(zip(SENTENCES, TAGS, strict=True))
    data = load_words(tmp_path / "train.csv", WORDS)
    assert sentences(data) == expected
    assert "columns: tokens is 'Word', label is 'Tag', sentence is 'Sentence #'" in data.notes
    assert "train: 5 rows of words are 2 sentences" in data.notes
    numbered = [(str(i // 3), word, tag) for i, (_, word, tag) in enumerate(WORDS)]
    columns = {"tokens": "w", "label": "t", "sentence": "s"}
    data = load_words(tmp_path / "new.csv", numbered, "s,w,t", columns=columns)
    assert sentences(data) == expected


def test_words_that_are_numbers_stay_words_and_ids_may_begin_anew(tmp_path):
    rows = [("0", str(i), "CD") if i % 2 else ("0", str(i), "NN") for i in range(4)]
    data = load_words(tmp_path / "train.csv", [*rows, ("1", "7", "CD"), *rows], "sent_id,token,pos")
    first = (["0", "1", "2", "3"], ["NN", "CD"] * 2)
    assert sentences(data) == [first, first, (["7"], ["CD"])]


def test_lists_of_words_need_no_sentences(tmp_path):
    rows = [{"sentence_id": i, "tokens": ["Ada", "a"], "tags": ["X", "O"]} for i in "012"]
    Dataset.from_list(rows).to_json(tmp_path / "train.jsonl")
    data = load_data(Files(source="files", path=str(tmp_path)), TokenClassification(), 0)
    assert len(sentences(data)) == 3


@pytest.mark.parametrize(
    ("rows", "header", "reason"),
    [
        (WORDS, "part,Word,Tag", r"holds 'Ada'; .* which sentence .*data.columns.sentence=…"),
        (WORDS[1:], "sent_id,word,tag", r"row 0: the column 'sentence' is empty"),
        (
            [(str(i % 3), "Ada", "O") for i in range(9)],
            "sent_id,word,tag",
            r"not together: 3 ids in the column 'sentence' change 9 times in 9 rows; sort",
        ),
    ],
)
def test_refuses_words_in_no_sentence(tmp_path, rows, header, reason):
    with pytest.raises(DataError, match=reason):
        load_words(tmp_path / "train.csv", rows, header)


# A file for each example


def labels(rows):
    names = rows.features["label"].names
    return [None if i is None else names[i] for i in rows["label"][:]]


def test_each_text_file_is_an_example_and_its_folder_the_class(tmp_path):
    write(
        tmp_path,
        train__pos__1="good\nfilm\n",
        train__neg__1="naïf".encode("cp1252"),
        train__unsup__1="so",
        test__pos__deep__2="well",
        README="Films",
    )
    loaded = load(tmp_path)
    assert loaded["train"]["text"][:] == ["naïf", "good\nfilm"]
    assert labels(loaded["train"]) == ["neg", "pos"]
    assert labels(loaded["test"]) == ["pos"]
    assert loaded.notes[0] == "each text file is an example, and its folder the class"
    notes = "; ".join(loaded.notes)
    assert "left out, without a class: 1 text files" in notes
    assert "left out, outside of the folders of the others: 1 text files" in notes
    assert "text in windows-1252 (data.encoding): 1 files" in notes


def test_class_folders_without_splits_are_train_and_read_again_when_replaced(tmp_path):
    write(tmp_path, pos__1="good", neg__1="bad")
    assert load(tmp_path)["train"]["text"][:] == ["bad", "good"]
    write(tmp_path, neg__1="sad")
    loaded = load(tmp_path)
    assert list(loaded) == ["train"]
    assert loaded["train"]["text"][:] == ["sad", "good"]
    refuse(tmp_path, "text files are read one by one", streaming=True)


def test_lists_beside_images_are_no_examples(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "train" / label).mkdir(parents=True)
        (tmp_path / "train" / label / "x.png").touch()
    write(tmp_path, train="train/cat/x.png\n", train__list="cat\n")
    assert load(tmp_path)["train"].column_names == ["label", "image"]
