"""`graft predict`: new examples in, predictions beside all their columns out."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import transformers
from datasets import Dataset
from example_run import finished
from tiny_run import NAMES, TinyRun
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

import pipelines as graft
from pipelines import cli
from pipelines.core.errors import DataError, ModelError, RunError
from pipelines.core.labels import MULTI, REGRESSION, Labels
from pipelines.models.output import sentence
from pipelines.tasks.text.base import check_words

TEXTS = ["a great film", "bad", "the plot was poor and awful", "fine"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, text_checkpoint: Path) -> TinyRun:
    conformal = {"conformal": {"threshold": 0.3}}
    root = tmp_path_factory.mktemp("tiny")
    return TinyRun(root, text_checkpoint, metrics={"calibration": conformal})


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A table in which one row has no text, and cells that a spreadsheet would compute."""
    path = tmp_path / "reviews.csv"
    lines = ["id,review,note,price", "007,a great film,=1+1,1.50", "008,,@x,-3", "009,bad,ok,2"]
    path.write_text("\n".join(lines) + "\n")
    return path


def predict(*words: Any) -> int:
    return cli.main(["predict", *map(str, words)])


def test_texts_get_labels_with_probabilities(tiny: TinyRun) -> None:
    table = tiny.run.predict(TEXTS, top_k=2)
    expected = tiny.logits(*TEXTS).softmax(1).numpy()
    assert [*table.text] == TEXTS
    assert [*table.prediction] == [NAMES[i] for i in expected.argmax(axis=1)]
    assert np.allclose(table.probability, expected.max(axis=1), atol=1e-5)
    second = np.argsort(-expected, axis=1)[:, 1]
    assert [*table.prediction_1] == [*table.prediction]
    assert [*table.prediction_2] == [NAMES[i] for i in second]
    assert np.allclose(table.probability_2, np.sort(expected, axis=1)[:, 1], atol=1e-5)
    # the threshold of the run's prediction sets
    members = [[name for name, p in zip(NAMES, row, strict=True) if p >= 0.3] for row in expected]
    assert [*table.set] == members


def test_a_table_keeps_its_rows_and_columns_as_they_are_spelled(tiny, reviews, capsys) -> None:
    output = reviews.with_name("out.csv")
    assert predict(tiny.folder, reviews, "-o", output) == 0
    lines = output.read_text().splitlines()
    assert lines[0] == "id,review,note,price,prediction,probability,set"
    # what a spreadsheet would compute has a quote before it; numbers are left alone
    assert lines[1].startswith("007,a great film,'=1+1,1.50,")
    assert lines[2].startswith("009,bad,ok,2,")
    assert not {"=neutral"} & {*lines[1].split(","), *lines[2].split(",")}
    bad = output.with_name("out.bad.csv").read_text().splitlines()
    assert bad == [
        "id,review,note,price,row,reason",
        "008,,'@x,-3,1,text is None; expected a string",
    ]
    shown = capsys.readouterr().err
    assert "1 of 3 rows cannot be predicted: row 1: text is None; expected a string" in shown
    assert "out.bad.csv" in shown


def test_parquet_and_json_lines_are_exact(tiny: TinyRun, tmp_path: Path) -> None:
    values = {"review": TEXTS, "n": [1, None, -3, 4], "words": [["=a"], [], None, ["b", "c"]]}
    Dataset.from_dict(values).to_parquet(tmp_path / "in.parquet")
    (tmp_path / "out.jsonl").write_text("{}")
    (tmp_path / "out.bad.jsonl").write_text("{}")
    for name in ("out.parquet", "out.jsonl"):
        assert predict(tiny.folder, tmp_path / "in.parquet", "-o", tmp_path / name) == 0
    # no row is bad, and those of an earlier prediction are gone
    assert not [*tmp_path.glob("*.bad.*"), *tmp_path.glob("*.partial")]
    table = pq.read_table(tmp_path / "out.parquet")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert table.to_pylist() == rows
    assert {name: table[name].to_pylist() for name in values} == values
    expected = tiny.logits(*TEXTS).softmax(1).numpy().max(axis=1)
    assert np.allclose(table["probability"].to_pylist(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("lines", "texts", "others"),
    [
        # blank lines are left out; a text may hold what other systems end lines with
        ("a great film\n\nbad\x0cfine\r\n \n", ["a great film", "bad\x0cfine"], [{}, {}]),
        ('{"review": "bad", "id": 7}\n{"review": "fine"}\n', ["bad", "fine"], [7, None]),
        # as `jq .` and pandas write them; a list of something else may be a text
        ('[\n {"review": "bad", "id": 7},\n {"review": "fine"}\n]\n', ["bad", "fine"], [7, None]),
        ('{\n "review": "bad",\n "id": 7\n}\n', ["bad"], [7]),
        ('["bad"]\n', ['["bad"]'], [{}]),
    ],
)
def test_standard_input_is_lines_or_json(tiny, lines, texts, others, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert predict(tiny.folder, "-") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row.get("review", row.get("text")) for row in rows] == texts
    assert [row.get("id", {}) for row in rows] == others
    expected = tiny.logits(*texts).softmax(1).numpy().argmax(axis=1)
    assert [row["prediction"] for row in rows] == [NAMES[i] for i in expected]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "standard input: there are no rows to predict"),
        ("\n \n", "standard input: there are no rows to predict"),
        ("\xff", "standard input: not UTF-8"),
        ('{"review": "a"}\n\n{"review": 3}\n', "line 3: review is 3, and a text in line 1"),
        ('{"review": "a"}\n{"review": ["b"]}\n', 'line 2: review is ["b"], and a text in line 1'),
        ('{"review": "a"}\n[1]\n', "line 2: [1]: expected an object such as"),
        ('{"review": "a"}\na text\n', "line 2: not JSON ("),
        ("{a\n", "line 1: not JSON"),
        ('{\n "review": "a"\n}\n{\n "review": "b"\n}\n', "line 1: JSON over several lines"),
        ('[\n "a",\n "b"\n]\n', "line 1: JSON over several lines; expected an object in each"),
        ('[{"review": "a"}, {"review": 3}]', "object 2: review is 3, and a text in object 1"),
        ('id,"review"\n1,bad\n', "line 1: names the column 'review' as the header of a table"),
    ],
)
def test_standard_input_that_is_no_table(tiny, lines, message, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode("latin-1"))))
    assert predict(tiny.folder, "-") == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert len(shown.err.splitlines()) == 1
    assert not shown.out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        *((f"empty.{kind}", b"", "no rows") for kind in ("csv", "txt", "jsonl", "json", "parquet")),
        ("header.csv", b"review,n\n", "there are no rows to predict"),
        ("blank.csv", b"\n\n", "there are no rows to predict"),
        ("damaged.parquet", b"PAR1 and then", "cannot be read as parquet"),
        ("cut.parquet", b"PAR1" + bytes(20) + b"PAR1", "cannot be read as parquet"),
    ],
)
def test_files_without_rows_are_named_once(
    tiny, name, content, message, tmp_path, capfd, caplog
) -> None:
    (tmp_path / name).write_bytes(content)
    assert predict(tiny.folder, tmp_path / name) == 2
    error = capfd.readouterr().err
    assert error.count(name) == 1
    assert message in error
    assert len(error.splitlines()) == 1
    assert not caplog.records  # what a library logs comes before our line


def test_no_cell_of_csv_is_a_formula(tiny: TinyRun, tmp_path: Path) -> None:
    rows = {"review": ["=bad"], "=n": [-2], "tags": [["@a", "b|c"]], "values": [[-0.5, 2.0]]}
    rows |= {"more": [{"a": "=1"}], "raw": [b"=1"]}
    Dataset.from_dict(rows).to_parquet(tmp_path / "in.parquet")
    assert predict(tiny.folder, tmp_path / "in.parquet", "-o", tmp_path / "out.csv") == 0
    names, cells, *_ = csv.reader((tmp_path / "out.csv").read_text().splitlines())
    assert names[:5] == ["review", "'=n", "tags", "values", "more"]
    assert cells[:6] == ["'=bad", "-2", r"'@a|b\|c", "'-0.5|2.0", '{"a": "=1"}', "<2 bytes>"]


@pytest.mark.parametrize("names", [["title", "body"], ["title", "text"]])
def test_several_columns_are_one_text(tiny: TinyRun, names: list[str]) -> None:
    table = pd.DataFrame({names[0]: ["a great"], names[1]: ["film"]})
    predicted = tiny.run.predict(table, data={"data.columns.text": names})
    assert [*predicted.columns[:2]] == names
    expected = tiny.logits("a great film").softmax(1).max().item()
    assert predicted.probability.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "inputs",
    [
        {"review": "bad"},  # and no column of letters
        [{"review": "bad"}],
        pd.Series(["bad"], index=[7]),
        np.array(["bad"]),
        Dataset.from_dict({"review": ["bad"]})["review"],
    ],
)
def test_one_text_in_any_form_of_python(tiny: TinyRun, inputs: Any) -> None:
    table = tiny.run.predict(inputs)
    assert [*table[table.columns[0]]] == ["bad"]
    expected = tiny.logits("bad").softmax(1).max().item()
    assert table.probability.item() == pytest.approx(expected, abs=1e-5)


def test_columns_are_those_of_training_whatever_their_capitals(tiny: TinyRun) -> None:
    table = tiny.run.predict({"Review": TEXTS, "text": ["no"] * len(TEXTS)})
    assert [*table.columns[:2]] == ["Review", "text"]
    assert [*table.prediction] == [*tiny.run.predict(TEXTS).prediction]
    with pytest.raises(DataError, match=r"obviously the text \(looked for review, text, sentence"):
        tiny.run.predict({"a": ["bad"], "b": ["fine"]})


def test_a_list_holds_texts_even_those_that_look_like_files(tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad").mkdir()
    texts = ["bad", "yahoo.com", "./fine"]
    assert [*tiny.run.predict(texts).text] == texts
    assert [*tiny.run.predict("").text] == [""]  # and not the working directory


def test_columns_of_json_that_are_no_table(tiny: TinyRun, monkeypatch, capsys) -> None:
    lines = '{"review": "a", "n": [1]}\n{"review": "b", "n": ["x"]}\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert predict(tiny.folder, "-") == 2
    assert "error: input: no table can be made of it" in capsys.readouterr().err


def test_chunks_are_in_the_order_of_the_rows(tiny, monkeypatch, tmp_path, capsys) -> None:
    from pipelines.workflow.inference import predict as inference

    monkeypatch.setitem(inference.CHUNK_ROWS, "text", 3)
    texts = [None, None, None, *TEXTS, None, "bad"]
    table = tiny.run.predict({"review": texts})
    assert [*table.index] == [3, 4, 5, 6, 8]
    assert [*table.review] == [*TEXTS, "bad"]
    alone = tiny.run.predict([*TEXTS, "bad"])
    assert np.allclose(table.probability, alone.probability, atol=1e-5)
    Dataset.from_dict({"review": texts}).to_json(tmp_path / "in.jsonl")
    assert predict(tiny.folder, tmp_path / "in.jsonl", "-o", tmp_path / "out.parquet") == 0
    assert pq.read_table(tmp_path / "out.parquet")["review"].to_pylist() == [*table.review]
    assert "3 of 9 rows\n6 of 9 rows\n" in capsys.readouterr().err


def test_several_labels_are_those_above_their_thresholds(tmp_path, text_checkpoint) -> None:
    thresholds = {"labels": dict(zip(NAMES, (0.01, 0.99, 0.5), strict=True))}
    run = TinyRun(
        tmp_path, text_checkpoint, labels=Labels(MULTI, NAMES), metrics={"thresholds": thresholds}
    )
    table = run.run.predict(pd.DataFrame({"review": TEXTS, "stars": 3}))
    expected = run.logits(*TEXTS).sigmoid().numpy()
    given = expected > (0.01, 0.99, 0.5)
    names = [[n for n, is_given in zip(NAMES, row, strict=True) if is_given] for row in given]
    assert [*table.prediction] == names
    for row, values in enumerate(table.probability):
        assert np.allclose(values, expected[row][given[row]], atol=1e-5)
    assert [*table.stars] == [3] * len(TEXTS)


def test_a_number_stays_a_number(tmp_path: Path, text_checkpoint: Path) -> None:
    run = TinyRun(tmp_path, text_checkpoint, labels=Labels(REGRESSION))
    table = run.run.predict(TEXTS)
    assert np.allclose(table.prediction, run.logits(*TEXTS)[:, 0].numpy(), atol=1e-5)
    assert "probability" not in table
    with pytest.raises(ModelError, match="top_k: 2: expected a number of labels"):
        run.run.predict(TEXTS, top_k=2)


def test_rows_whose_outputs_are_not_finite_are_bad(tmp_path, text_checkpoint, capsys) -> None:
    run = TinyRun(tmp_path, text_checkpoint)
    word = run.processor.convert_tokens_to_ids("awful")
    run.model.get_input_embeddings().weight.data[word] = float("nan")
    run.save()
    assert [*run.run.predict(TEXTS).index] == [0, 1, 3]
    assert "row 2: the model's outputs are not finite numbers" in capsys.readouterr().err
    with pytest.raises(DataError, match="1 of 1 rows cannot be predicted: row 0: the model's"):
        run.run.predict(["awful"])


def test_columns_of_predictions_do_not_hide_those_of_the_input(tiny: TinyRun) -> None:
    columns = {"review": TEXTS, "prediction": [1, 2, 3, 4]}
    table = tiny.run.predict(columns)
    assert [*table.prediction] == [1, 2, 3, 4]
    assert [*table.model_prediction] == [*tiny.run.predict(TEXTS).prediction]
    with pytest.raises(DataError, match="the input has columns prediction"):
        tiny.run.predict({**columns, "model_prediction": TEXTS})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{run}", "nosuch.csv"], "nosuch.csv: no such file or folder"),
        (["{run}", "./nosuch"], "./nosuch: no such file or folder"),
        (["{run}", "{data}", "a text"], "reviews.csv: a file beside 'a text'; expected files"),
        (
            ["{run}", "{data}", "columns.text=note"],
            "a key is one of the data, such as data.columns",
        ),
        (["{run}", "{data}", "data.limit.test=1"], "data.limit: all rows are predicted"),
        (["{run}", "-", "-"], "-: beside other inputs; standard input stands alone"),
        (["{run}", "a text", "-"], "-: beside other inputs; standard input stands alone"),
        (["{run}", "a text", "-o", "{folder}"], "folder.csv: is a folder; name another"),
        (["{run}", "{data}", "-o", "x.xlsx"], "x.xlsx: expected a file that ends in .csv"),
        (["{run}", "{data}", "-o", "{data}"], "reviews.csv: is the input"),
        (["{run}", "{data}", "-o", "no/x.csv"], "no/x.csv: no such folder"),
        (["{run}", "{data}", "--split", "tst"], "--split tst: no such split; known: train"),
        (["{run}", "{data}", "--top-k", "-1"], "top_k: -1: expected a number of labels"),
        (["{run}", "{data}", "data.columns.txt=note"], "unknown role 'txt'; did you mean 'text'?"),
        (["{run}", "{data}", "data.columns.text=reviw"], "no column 'reviw'"),
        (["{run}", "a text", "data.encoding=cp1251"], "data.encoding: there is no file"),
        (["{data}", "a text"], "expected a Hub id or a folder with config.json"),
        (["{folder}", "a text"], "neither a run such as runs/bert_sst2/1 (there is no lock.json)"),
        (["runs/of/nobody", "a text"], "runs/of/nobody: not in a run folder"),
        (["{runs}", "a text"], "not in a run folder; expected one such as {run}"),
        (["{run}", "a text", "--batch-size", "0"], "--batch-size 0: expected 1 or more"),
    ],
)
def test_mistakes_are_one_message(tiny, reviews, words, message, capsys) -> None:
    folder = reviews.with_name("folder.csv")
    folder.mkdir()
    names = {"run": tiny.folder, "runs": tiny.folder.path.parent, "data": reviews}
    names["folder"] = folder
    assert predict(*(word.format(**names) for word in words)) == 2
    error = capsys.readouterr().err
    assert message.format(**names) in error
    assert "Traceback" not in error


def test_what_no_prediction_wrote_stays(tiny, tmp_path, capsys) -> None:
    mended, out = tmp_path / "out.bad.csv", tmp_path / "out.csv"
    mended.write_text("review\na great film\n")
    for given in (mended, "another text"):
        assert predict(tiny.folder, given, "-o", out) == 2
        assert "out.bad.csv: " in capsys.readouterr().err
        assert mended.read_text() == "review\na great film\n"
        assert not out.exists()


def test_damaged_weights_are_one_message(tmp_path, text_checkpoint, capsys) -> None:
    run = TinyRun(tmp_path, text_checkpoint)
    weights = run.folder.model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert predict(run.folder, "a text") == 2
    assert "model: cannot be loaded: " in capsys.readouterr().err
    with pytest.raises(ModelError, match="model: cannot be loaded: "):
        run.run.model()


def test_a_run_without_its_model_is_one_message(
    tmp_path, text_checkpoint, monkeypatch, capsys
) -> None:
    """Libraries would look for `copy/model` on the Hub."""
    run = TinyRun(tmp_path, text_checkpoint)
    shutil.rmtree(run.folder.model)
    run.folder.path.rename(tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    for command in (["predict", "copy", "a"], ["push", "copy", "a/b"], ["explain", "copy", "a"]):
        assert cli.main(command) == 2
        assert "copy/model: there is no such folder, which held" in capsys.readouterr().err


def test_a_tokenizer_without_words_is_refused() -> None:
    words = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]"))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    empty = transformers.PreTrainedTokenizerFast(tokenizer_object=words, **special)
    with pytest.raises(ModelError, match="copy: its tokenizer knows no words"):
        check_words(empty, "copy")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("yahoo.com", "no such file or folder; a text that looks like one goes to standard input"),
        (3, "expected texts, a path, a table or a Dataset, not int"),
        ([1, 2], "input: 1: expected texts"),
        ({"review": "bad", "id": [1, 2, 3]}, "column 'review' is 'bad'; expected a list, as other"),
        ({"review": ["a"], "n": [1, 2]}, "no table can be made of it"),
        ({"review": []}, "there are no rows to predict"),
        ({"a": ["x"], "b": ["y"], "c": ["z"]}, "no column is obviously the text"),
    ],
)
def test_what_is_no_input(tiny: TinyRun, inputs: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        tiny.run.predict(inputs)


def test_a_model_of_pairs_needs_a_table(tmp_path: Path, text_checkpoint: Path) -> None:
    run = TinyRun(tmp_path, text_checkpoint)
    run.add("data.json", {"columns": {"text": "premise", "text_pair": "hypothesis"}})
    pairs = [("a great film", "bad"), ("the plot", "fine")]
    first, second = (list(texts) for texts in zip(*pairs, strict=True))
    table = run.run.predict({"premise": first, "hypothesis": second})
    rows = [run.processor(*pair, return_tensors="pt") for pair in pairs]
    logits = [run.model(**row).logits.argmax().item() for row in rows]
    assert [*table.prediction] == [NAMES[i] for i in logits]
    with pytest.raises(DataError, match="reads text, text_pair, and a text is one of them"):
        run.run.predict("a great film")


@pytest.mark.parametrize("content", ['{"splits": {}}', "[", '{"labels": 3, "columns": {}}'])
def test_a_run_whose_files_are_damaged(tmp_path, text_checkpoint, content) -> None:
    run = TinyRun(tmp_path, text_checkpoint)
    run.folder.data.write_text(content)
    with pytest.raises(RunError, match="train the run again"):
        run.run.predict("bad")


def test_a_run_that_is_not_finished(tmp_path: Path, capsys) -> None:
    folder = finished(tmp_path)
    folder.metrics.unlink()
    assert predict(folder, "bad") == 2
    assert "not finished" in capsys.readouterr().err


def test_a_model_of_sentence_transformers_predicts_by_its_own_library(
    tmp_path, text_checkpoint, monkeypatch
) -> None:
    """Its folder has no encoded rows and no processor, only logits of texts."""
    run = TinyRun(tmp_path, text_checkpoint)
    (run.folder.model / "modules.json").write_text("[]")
    expected = run.logits(*TEXTS)

    def reload(folder: Path) -> Any:
        assert folder == run.folder.model
        return lambda rows: {"logits": run.logits(*rows["text"]).numpy()}

    monkeypatch.setattr(sentence, "reload", reload)
    table = run.run.predict([*TEXTS[:2], None, *TEXTS[2:]])
    assert [*table.index] == [0, 1, 3, 4]
    assert np.allclose(table.probability, expected.softmax(1).max(1).values)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", {"name": "linear_probe", "pooling": "mean"}])
def test_a_run_predicts_what_it_predicted(text_data, text_checkpoint, tmp_path, strategy) -> None:
    """Columns and labels come from the run's own files."""
    values = {
        "task": "text_classification",
        "model": str(text_checkpoint),
        "data": {"source": "files", "path": text_data},
        "strategy": strategy,
        "calibration": {"conformal": 0.2},
        "training": {"use_cpu": True, "output_dir": tmp_path},
    }
    steps = {"training.max_steps": 2} if strategy == "full" else {}
    run = graft.run(graft.Recipe.from_dict(values, steps))
    table, before = run.predict(text_data, split="test"), run.predictions["test"]
    assert [*table.label] == [*before.label]
    assert [*table.prediction] == [*before.prediction]
    assert np.allclose(table.probability, before.probability, atol=1e-4)
    assert ["|".join(names) for names in table.set] == [*before.set]
