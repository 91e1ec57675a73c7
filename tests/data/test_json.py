"""Tables in JSON: their layouts, and columns as the file writes them."""

import bz2
import gzip
import json

import pyarrow as pa
import pytest
from datasets import Dataset

from pipelines.core.errors import DataError
from pipelines.data import load
from pipelines.data.sources.files import Files
from pipelines.tasks.question_answering import QuestionAnswering
from pipelines.tasks.text_classification import TextClassification

pytestmark = pytest.mark.usefixtures("own_cache")

TEXTS = ("good", "well", "poor")


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(path, content, **section):
    """Write a file, and load it."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Files(source="files", path=str(path), **section).load()


def refuse(path, content, message, **section):
    with pytest.raises(DataError) as refused:
        read(path, content, **section)
    assert message in str(refused.value)


@pytest.fixture(params=["json", "jsonl"])
def classify(tmp_path, request):
    """classify(rows, **section) -> Data of these rows, as lines or as one list."""

    def classify(rows, **section):
        path = tmp_path / f"train.{request.param}"
        path.write_text(json.dumps(rows, indent=1) if path.suffix == ".json" else lines(rows))
        source = Files(source="files", path=str(path), **section)
        return load(source, TextClassification(name="text_classification"), seed=0)

    return classify


def labeled(count, **more):
    return [{"text": f"item {i}", "label": i % 2, **more} for i in range(count)]


def train_labels(data):
    return [label for _, label in sorted(zip(data.train["text"], data.train["label"], strict=True))]


# Columns


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2024-01-02T03:04:05", "2024-01-02 03:04:05"], None),
        (["007", "7"], None),
        ([True, None], None),
        ([10**21, 1], [str(10**21), "1"]),
        ([2**63, 1], [str(2**63), "1"]),
        ([10**21, 0.5], [1e21, 0.5]),
        ([2**62 + 1, 0.5], [float(2**62), 0.5]),
        ([[], [1.5], [2]], [[], [1.5], [2.0]]),
        ([{"a": 1}, {"b": "x"}], [{"a": 1, "b": None}, {"a": None, "b": "x"}]),
        ([None, None], None),
    ],
)
def test_a_column_is_what_the_file_writes(tmp_path, values, expected):
    rows = [{"value": value} for value in values]
    # the first of many rows do not decide
    rows[1:1] = [{}] * 1000
    column = read(tmp_path / "t.jsonl", lines(rows))["train"]["value"][:]
    column = [column[0], *column[1001:]]
    assert column == (expected or values)
    assert list(map(type, column)) == list(map(type, expected or values))


def test_a_key_may_come_late_and_a_column_may_change_its_type_if_it_is_unused(classify):
    rows = labeled(2100, price=1, tags=["a"])
    rows[2000] |= {"late": {"a": 1}, "price": "n/a", "tags": [1], "text": "later"}
    data = classify(rows)
    assert len(data.train) + len(data.validation) == 2100
    assert data.labels.names == ("0", "1")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("one", "row 1200: column 'label' holds \"one\", a text, where 1,299 rows hold a number"),
        (True, "row 1200: column 'label' holds true, true or false, where 1,299 rows hold a numb"),
    ],
)
def test_a_used_column_of_mixed_types_is_refused_by_row(classify, value, message):
    rows = labeled(1300)
    rows[1200]["label"] = value
    with pytest.raises(DataError) as refused:
        classify(rows)
    assert message in str(refused.value)
    assert "data.on_bad_row=skip" in str(refused.value)
    data = classify(rows, on_bad_row="skip")
    assert [(bad.row, bad.reason) for bad in data.left_out] == [(1200, "no label (None)")]
    assert data.labels.values == (0, 1)


def test_half_an_emoji_in_a_text_is_refused_by_row(classify):
    rows = labeled(30)
    rows[7]["text"] = "\ud83d so"
    with pytest.raises(DataError, match=r"row 7: column 'text' holds .+ half a character"):
        classify(rows)
    assert [bad.row for bad in classify(rows, on_bad_row="skip").left_out] == [7]


def test_lists_that_mix_types_are_refused_where_they_are_used(classify):
    rows = [{"text": f"item {i}", "label": ["a"]} for i in range(30)]
    rows[7]["label"] = ["a", 1]
    with pytest.raises(DataError, match=r'row 7: column .label. holds \["a", 1\], values of mixed'):
        classify(rows)
    with pytest.raises(DataError, match="row 7"):
        classify(rows, on_bad_row="skip")


def test_shards_agree_on_the_types_of_their_columns(tmp_path):
    shards = [labeled(2, note=None, price=1), labeled(2, note="x", price=0.5, extra="y")]
    for i, rows in enumerate(shards):
        (tmp_path / f"train-0000{i}-of-00002.jsonl").write_text(lines(rows))
    (tmp_path / "test.jsonl").write_text('{"text": "x", "price": "n/a"}\n')
    loaded = Files(source="files", path=str(tmp_path)).load()
    assert loaded["train"]["price"][:] == [1.0, 1.0, 0.5, 0.5]
    assert loaded["train"]["note"][:] == [None, None, "x", "x"]
    assert loaded["train"]["extra"][:] == [None, None, "y", "y"]
    assert loaded["test"].column_names == ["text", "price"]
    assert "test.jsonl, row 0: column 'price' holds \"n/a\"" in loaded.unreadable["price"]


def test_a_streamed_file_is_known_by_its_head(tmp_path):
    rows = labeled(1002, price=1)
    rows[1001] |= {"price": 0.5, "late": 1}
    loaded = read(tmp_path / "train.jsonl", lines(rows), streaming=True)
    streamed = list(loaded["train"])
    assert streamed[1000] == rows[1000]
    assert streamed[1001] == {**labeled(1002)[1001], "price": None}


# Layouts

COLUMNS = {"text": ["good", "well", "poor"], "label": [1, 1, 0]}
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]


@pytest.mark.parametrize(
    ("document", "note"),
    [
        (ROWS, None),
        (COLUMNS, "a list for each column"),
        ({"version": 2, "data": ROWS}, "rows are those of 'data'"),
        (
            {"columns": [*COLUMNS], "index": [0, 1, 2], "data": [[*r.values()] for r in ROWS]},
            "data",
        ),
        ({name: dict(zip("012", v, strict=True)) for name, v in COLUMNS.items()}, "an object for"),
        (dict(zip("012", ROWS, strict=True)), "rows by their numbers"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_may_hold_its_rows_in_any_usual_layout(tmp_path, document, note, indent):
    loaded = read(tmp_path / "train.json", json.dumps(document, indent=indent))
    assert list(loaded["train"]) == ROWS
    assert note is None or note in loaded.notes[0]
    assert bool(loaded.notes) == bool(note)


def test_lines_in_json_and_a_list_in_jsonl_are_read(tmp_path):
    assert list(read(tmp_path / "train.json", lines(ROWS))["train"]) == ROWS
    assert list(read(tmp_path / "train.jsonl", json.dumps(ROWS))["train"]) == ROWS
    assert list(read(tmp_path / "one.jsonl", lines(ROWS[:1]))["train"]) == ROWS[:1]
    assert list(read(tmp_path / "one.json", lines(ROWS[:1]))["train"]) == ROWS[:1]
    assert read(tmp_path / "t.json", '["a", "b"]')["train"]["text"][:] == ["a", "b"]
    assert not len(read(tmp_path / "none.json", "[]")["train"])


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"train": ROWS, "test": ROWS}, "has rows under several keys (train, test); put each"),
        ({"text": ["a"], "label": [1, 2]}, "columns differ in length: 'text' 1, 'label' 2"),
        ({"a": {"x": 1}, "b": {"y": 2}}, "holds an object for each of a, b"),
        ([["text", "label"], ["a", 1]], 't.json, row 0: holds ["text", "label"]; expected rows as'),
        (5, "holds 5; expected rows as objects"),
    ],
)
def test_a_document_in_no_known_layout_is_refused(tmp_path, document, message):
    refuse(tmp_path / "t.json", json.dumps(document), message)


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("gz", gzip.compress),
        ("bz2", bz2.compress),
        ("zst", lambda content: pa.compress(content, "zstd", asbytes=True)),
    ],
)
def test_compressed_json_is_read(tmp_path, suffix, compress):
    rows = labeled(3)
    for name, content in (("train.jsonl", lines(rows)), ("train.json", json.dumps(rows))):
        loaded = read(tmp_path / f"{name}.{suffix}", compress(content.encode()))
        assert list(loaded["train"]) == rows


def test_compressed_parquet_is_read(tmp_path):
    Dataset.from_list(ROWS).to_parquet(tmp_path / "t.parquet")
    content = gzip.compress((tmp_path / "t.parquet").read_bytes())
    assert list(read(tmp_path / "train.parquet.gz", content)["train"]) == ROWS


def test_a_damaged_archive_is_refused(tmp_path):
    refuse(tmp_path / "t.jsonl.gz", gzip.compress(b'{"a": 1}')[:-9], "t.jsonl.gz: cannot be read")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_of_json_is_detected(tmp_path, encoding):
    rows = [{"text": "caf\u00e9"}] * 5
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    loaded = read(tmp_path / "t.jsonl", content.encode(encoding))
    assert list(loaded["train"]) == rows
    assert bool(loaded.notes) == (not encoding.startswith("utf-8"))
    refuse(tmp_path / "u.jsonl", content.encode("cp1252"), "is not text in utf-8", encoding="utf8")


def squad(count):
    questions = [
        {
            "id": str(i),
            "question": "Where?",
            "answers": [{"text": "Oslo", "answer_start": 13}] * (i % 2),
            "is_impossible": not i % 2,
        }
        for i in range(count)
    ]
    return [{"context": "Ada moved to Oslo.", "qas": [question]} for question in questions]


@pytest.mark.parametrize(
    "document",
    [
        {"version": "2.0", "data": [{"title": "Ada", "paragraphs": squad(20)}]},
        [{"title": "Ada", "paragraphs": squad(20)}],
        squad(20),
    ],
)
def test_the_official_file_of_squad_is_read(tmp_path, document):
    (tmp_path / "train.json").write_text(json.dumps(document))
    source = Files(source="files", path=str(tmp_path))
    data = load(source, QuestionAnswering(name="question_answering"), seed=0)
    assert "train.json: rows are the questions of SQuAD's paragraphs" in data.notes
    answers = [*data.train["answers"], *data.validation["answers"]]
    assert sorted(answers, key=len) == [[]] * 10 + [[{"text": "Oslo", "answer_start": 13}]] * 10
    assert {*data.train["context"]} == {"Ada moved to Oslo."}


@pytest.mark.parametrize("names", [("answer_text", "answer_start"), ("Answer", "Answer_Start")])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_the_text_and_the_start_of_an_answer_may_be_two_columns(tmp_path, names, kind):
    text, start = names
    rows = [
        {"question": f"{i}?", "context": "in Oslo", text: "Oslo" if i % 2 else None, start: 3}
        for i in range(20)
    ]
    getattr(Dataset.from_list(rows), {"csv": "to_csv"}.get(kind, "to_json"))(
        tmp_path / f"train.{kind}"
    )
    source = Files(source="files", path=str(tmp_path))
    data = load(source, QuestionAnswering(name="question_answering"), seed=0)
    answers = [*data.train["answers"], *data.validation["answers"]]
    none, one = {"text": [], "answer_start": []}, {"text": ["Oslo"], "answer_start": [3]}
    assert sorted(answers, key=lambda answer: len(answer["text"])) == [none] * 10 + [one] * 10
    source = Files(source="files", path=str(tmp_path), columns={"answers": [text, start, "x"]})
    with pytest.raises(DataError, match="train has no column 'x'"):
        load(source, QuestionAnswering(name="question_answering"), seed=0)
    source = Files(
        source="files",
        path=str(tmp_path),
        columns={"question": "question", "context": "context", "answers": [text]},
    )
    with pytest.raises(DataError, match=r"got 1 columns \(.*\); expected two, the text"):
        load(source, QuestionAnswering(name="question_answering"), seed=0)


def test_null_is_no_answer_and_the_run_says_how_many_there_are(tmp_path):
    rows = [
        {
            "question": f"{i}?",
            "context": "in Oslo",
            "answers": {"text": ["Oslo"], "answer_start": [3]},
        }
        for i in range(20)
    ]
    rows[3]["answers"] = rows[4]["answers"] = None
    (tmp_path / "train.jsonl").write_text(lines(rows))
    source = Files(source="files", path=str(tmp_path))
    data = load(source, QuestionAnswering(name="question_answering"), seed=0)
    assert "answers: 2 of 20 questions of train have none" in "".join(data.notes)
    assert not data.left_out
    assert data.labels.problem_type == "question_answering_with_unanswerable_questions"


def test_a_question_that_is_no_object_is_refused(tmp_path):
    refuse(tmp_path / "t.json", '[{"context": "a", "qas": ["Where?"]}]', "'qas' holds 'Where?'")
