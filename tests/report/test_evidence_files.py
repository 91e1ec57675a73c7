"""evidence.json, predictions as parquet, and cells of CSV that no spreadsheet computes."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Features, Image, Value
from example_run import LOGITS, TWO, evidence, finished, predicted
from huggingface_hub import ModelCard
from scipy.special import softmax

import pipelines as graft
from pipelines.core import registry
from pipelines.core.labels import LANGUAGE, MULTI, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.data import row_ids, united_rows
from pipelines.data.rows import Domains, Rows
from pipelines.evaluation import details
from pipelines.evaluation.scorer import Scorer
from pipelines.report import csv_cells, example_table
from pipelines.report.evidence import SplitPredictions
from pipelines.report.summary import summarize

HOSTILE = ("=1+1", "+a", "-b|c", "@d", "\te", "\rf", "'=g", "'h", "i\n<script>", "-1.5", "|", "j")
MOODS = Labels(MULTI, ("joy", "anger", "fear"))


def measured(labels: Labels, predictions: SplitPredictions) -> details.SplitDetails:
    task = registry.find("tasks", "text_classification")()
    scorer = Scorer((), task, labels)
    sides = predictions.predictions, predictions.targets, predictions.outputs
    return details.measure(scorer, *sides, scorer(*sides))


def table_of(path: Path, predictions: SplitPredictions, labels: Labels, rows=None) -> pa.Table:
    example_table.write(path, predictions, labels, rows)
    return pq.read_table(path)


def test_a_run_has_its_evidence_in_files_summary_and_card(tmp_path: Path) -> None:
    many = predicted(TWO, np.tile(LOGITS, (20, 1)), [0, 1, 1] * 20)
    behind = {"validation": measured(TWO, many)}
    changes = {
        "validation": {"accuracy": 2 / 3, "f1": 2 / 3},
        "predictions": {"validation": many},
        "details": behind,
        "test": None,
    }
    run = finished(tmp_path, **changes)
    split = json.loads(run.evidence.read_text(), parse_constant=pytest.fail)["validation"]
    exact = split["intervals"]["accuracy"]
    assert exact["method"] == "exact (Clopper-Pearson)"
    assert 0.5 < exact["low"] < 2 / 3 < exact["high"] < 0.8
    assert split["intervals"]["f1"]["method"] == "bootstrap, 1000 draws"
    assert split["per_class"][1] == {
        "label": "positive",
        "precision": 1.0,
        "recall": 0.5,
        "f1": 2 / 3,
        "count": 40,
    }
    assert split["confusion"] == {"labels": [*TWO.names], "counts": [[20, 0], [20, 20]]}
    assert split["top_losses"][:2] == [2, 5]
    metrics = json.loads(run.metrics.read_text())
    assert metrics["intervals"] == {"validation": {"accuracy": exact}}
    shown = f"0.6667 ({exact['low']:.4f} to {exact['high']:.4f})"
    summary = summarize(run, evidence(**changes))
    assert re.search(rf"accuracy +{re.escape(shown)} +0\.5100\n", summary)
    assert re.search(r"f1 +0\.6667 +-\n", summary)
    note = "n parentheses: the interval of 95 % of accuracy over rows (exact (Clopper-Pearson))"
    for text in (summary, run.card.read_text()):
        assert note in text
        assert shown in text
    assert ModelCard.load(run.card).data.eval_results[0].metric_value == 2 / 3


def test_every_example_has_its_row_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    texts = Dataset.from_dict({"text": ["=a", "b" * 3000, None], "text_pair": ["c", "d", "e"]})
    ids = Dataset.from_dict({"guid": ["x", "y", None, "z"]})
    rows = Rows(texts, "train", np.array([3, 2, 0]), ids=ids)
    table = table_of(path, predicted(TWO, LOGITS, [0, 1, 1]), TWO, rows)
    assert table["row"].to_pylist() == [0, 1, 2]
    assert table["id"].to_pylist() == ["z", "2", "x"]
    first, second, third = table["input"].to_pylist()
    assert (first, len(second), third) == ("=a\nc", 2002, "e")
    assert table["label"].to_pylist() == ["negative", "positive", "positive"]
    assert table["prediction"].to_pylist() == ["negative", "positive", "negative"]
    assert table["correct"].to_pylist() == [True, True, False]
    probabilities = softmax(LOGITS.astype(float), axis=1)
    assert np.allclose(np.stack(table["scores"].to_pylist()), probabilities)
    assert table["confidence"].to_pylist() == pytest.approx([*probabilities.max(axis=1)])
    right = probabilities[[0, 1, 2], [0, 1, 1]]
    assert table["loss"].to_pylist() == pytest.approx([*-np.log(right)], abs=1e-6)
    assert json.loads(table.schema.metadata[example_table.LABELS]) == [*TWO.names]
    # without the rows, or with blocks of texts that are none, numbers name them
    for others in (None, Rows.of(texts.select([0]), "test")):
        plain = table_of(path, predicted(TWO, LOGITS, [0, 1, 1]), TWO, others)
        assert plain["id"].to_pylist() == ["0", "1", "2"]
        assert plain["input"].null_count == 3


def test_questions_stand_beside_their_contexts(tmp_path: Path) -> None:
    columns = {"question": ["who", "why"], "context": ["a film", "x" * 3000]}
    rows = Rows.of(Dataset.from_dict(columns), "test")
    answers = SplitPredictions({}, ["a", "x"], [["a"], []])
    table = table_of(tmp_path / "rows.parquet", answers, Labels("question_answering"), rows)
    assert table["input"].to_pylist() == columns["question"]
    assert [len(context) for context in table["context"].to_pylist()] == [6, 2000]


def test_rows_of_several_sources_name_theirs(tmp_path: Path) -> None:
    texts = Dataset.from_dict({"text": ["a", "b", "c"]})
    domains = Domains(("books", "=dvd"), np.array([1, 0, 1]))
    rows = Rows(texts, "test", np.arange(3), domains=domains)
    many = predicted(TWO, LOGITS, [0, 1, 1])
    run = finished(tmp_path, predictions={"validation": many}, rows={"validation": rows})
    table = pq.read_table(run.predictions / "validation.parquet")
    assert table["source"].to_pylist() == ["=dvd", "books", "=dvd"]
    assert [*graft.Run(run.path).predictions["validation"].source] == ["=dvd", "books", "=dvd"]
    # one source, or blocks of texts that are no rows
    for others in (Rows.of(texts, "test"), rows.select(np.array([0]))):
        folder = tmp_path / str(len(others))
        plain = finished(folder, predictions={"validation": many}, rows={"validation": others})
        assert "source" not in pq.read_table(plain.predictions / "validation.parquet").column_names
        header = (plain.predictions / "validation.csv").read_text().splitlines()[0]
        assert header == "row,label,prediction,probability"


@pytest.mark.parametrize(
    ("labels", "predictions", "first"),
    [
        (
            MOODS,
            predicted(MOODS, np.array([[2.0, -1.0, 0.5]]), [[1.0, 1.0, 0.0]]),
            {"label": ["joy", "anger"], "prediction": ["joy", "fear"], "correct": False},
        ),
        (
            Labels(REGRESSION),
            predicted(Labels(REGRESSION), np.array([[3.5]]), [4.0]),
            {"label": 4.0, "prediction": 3.5, "correct": None, "confidence": None, "loss": 0.25},
        ),
        (
            Labels(TOKENS, ("O", "B-X")),
            SplitPredictions({}, [["O", "B-X"]], [["O", "O"]]),
            {"label": ["O", "O"], "prediction": ["O", "B-X"], "correct": False, "loss": None},
        ),
        (
            Labels("question_answering"),
            SplitPredictions({}, ["the film"], [[]]),
            {"label": [], "prediction": "the film", "correct": False},
        ),
        (
            Labels("speech_recognition"),
            SplitPredictions({}, ["a b"], ["a b"]),
            {"label": "a b", "prediction": "a b", "correct": True},
        ),
        (
            Labels(LANGUAGE),
            SplitPredictions({}, np.array([1.5]), [[7, 8]]),
            {"label": None, "prediction": None, "correct": None, "loss": 1.5},
        ),
    ],
    ids=["several", "number", "tags", "answers", "speech", "blocks"],
)
def test_other_tasks_have_what_is_defined_for_them(tmp_path, labels, predictions, first) -> None:
    (row,) = table_of(tmp_path / "t.parquet", predictions, labels).to_pylist()
    assert {name: row[name] for name in first} == first
    assert ("scores" in row) == (labels.problem_type == MULTI)


def test_tables_of_many_classes_are_written_in_parts(tmp_path: Path, monkeypatch) -> None:
    whole = table_of(tmp_path / "a.parquet", predicted(TWO, LOGITS, [0, 1, 1]), TWO)
    monkeypatch.setattr(example_table, "MAX_ROWS_AT_A_TIME", 2)
    parts = table_of(tmp_path / "b.parquet", predicted(TWO, LOGITS, [0, 1, 1]), TWO)
    assert parts.equals(whole)


def test_rows_are_named_by_ids_by_files_or_by_numbers() -> None:
    columns = {"text": ["a", "b"], "id": [7, 7], "idx": [4, 5], "label": ["x", "y"]}
    dataset = Dataset.from_dict(columns)
    assert row_ids.find(dataset, ["text"]).column_names == ["idx"]
    assert row_ids.find(dataset, ["text", "idx"]) is None
    first, second = (replace(Rows.of(dataset, "test"), ids=dataset.select([i])) for i in (0, 1))
    assert united_rows.joined([first, first]).ids is first.ids
    assert united_rows.joined([first, second]).ids is None  # numbers are those of two sources
    pictures = {"image": [{"path": "/a/b/c.png", "bytes": None}, {"path": None, "bytes": b"x"}]}
    features = Features({"image": Image()})
    rows = Rows.of(Dataset.from_dict(pictures, features=features), "test")
    assert row_ids.read(rows, slice(0, 2)).to_pylist() == ["c.png", "1"]
    assert row_ids.paths(rows, slice(0, 2)).to_pylist() == ["/a/b/c.png", None]
    words = Dataset.from_dict({"tokens": [["a", "b"]]}, Features({"tokens": [Value("string")]}))
    assert row_ids.read(Rows.of(words, "test"), slice(0, 1)).to_pylist() == ["0"]


def test_no_cell_of_predictions_is_a_formula_and_tables_read_them_back(tmp_path: Path) -> None:
    labels = Labels(SINGLE, HOSTILE)
    ids = np.arange(len(HOSTILE))
    split = predicted(labels, np.eye(len(HOSTILE)), [*ids])
    run = finished(tmp_path, labels=labels, predictions={"test": split})
    with (run.predictions / "test.csv").open(newline="") as file:
        cells = [row["label"] for row in csv.DictReader(file)]
    assert cells[:8] == ["'=1+1", "'+a", "'-b|c", "'@d", "'\te", "'\rf", "''=g", "'h"]
    assert cells[8:] == ["i\n<script>", "-1.5", "|", "j"]
    assert [csv_cells.original(cell) for cell in cells] == [*HOSTILE]
    recipe = "task: text_classification\nmodel: a/b\ndata: {source: files, path: /x}\n"
    run.recipe.write_text(recipe)
    assert [*graft.Run.open(run.path).predictions["test"].prediction] == [*HOSTILE]
