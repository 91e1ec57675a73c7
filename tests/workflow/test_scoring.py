"""`graft evaluate`: finished runs on new labeled data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import tiny_audio
from datasets import Dataset
from PIL import Image
from tiny_run import NAMES, TinyRun

import pipelines as graft
from pipelines import cli
from pipelines.core.errors import DataError, ModelError, RunError
from pipelines.core.labels import CHOICE, MULTI, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.report import data_evaluation_text
from pipelines.tasks.text.answerability import PARTLY_ANSWERABLE

TEXTS = ["a great film", "bad", "the plot was poor and awful", "fine"]
ROWS = 48
COLUMNS = {
    "review": [f"{TEXTS[i % 4]} {TEXTS[i % 3]}" for i in range(ROWS)],
    "stars": [NAMES[i % 3] for i in range(ROWS)],
    "source": ["web", "mail"] * (ROWS // 2),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, text_checkpoint: Path) -> TinyRun:
    return TinyRun(tmp_path_factory.mktemp("tiny"), text_checkpoint)


@pytest.fixture(scope="module")
def right(tiny: TinyRun) -> np.ndarray:
    """Whether the model is right about each row."""
    predicted = [NAMES[i] for i in tiny.logits(*COLUMNS["review"]).argmax(1)]
    return np.array(predicted) == np.array(COLUMNS["stars"])


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    Dataset.from_dict(COLUMNS).to_csv(str(path))
    return path


def evaluate(*words: Any) -> int:
    return cli.main(["evaluate", *map(str, words)])


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_new_rows_are_scored_with_intervals_and_the_run_stays(tiny, reviews, right, capsys) -> None:
    before = contents(tiny.folder.path)
    result = tiny.run.evaluate(reviews)
    assert contents(tiny.folder.path) == before
    assert result.num_rows == ROWS
    assert result.scores["accuracy"] == right.mean()
    interval = result.intervals["accuracy"]
    assert interval.low < right.mean() < interval.high
    assert interval.method == "exact (Clopper-Pearson)"
    assert result.intervals["f1"].method == "bootstrap, 1000 draws"
    assert [each.count for each in result.runs[0].details.per_class] == [16, 16, 16]
    by_confidence = [each for each in result.runs[0].slices if each.by == "confidence"]
    assert sum(each.num_rows for each in by_confidence) == ROWS
    assert "label: column 'stars'" in capsys.readouterr().out


def test_rows_are_divided_by_a_column_and_written_to_a_folder(
    tiny, reviews, right, tmp_path, capsys
) -> None:
    out = tmp_path / "out"
    assert evaluate(tiny.folder, "--data", reviews, "--by", "source", "--json", "-o", out) == 0
    shown = capsys.readouterr()
    content = json.loads(shown.out)
    assert content == json.loads((out / "evaluation.json").read_text())
    (run,) = content["runs"]
    slices = {each["value"]: each for each in run["slices"] if each["by"] == "source"}
    assert slices["web"]["scores"]["accuracy"] == right[::2].mean()
    assert slices["mail"]["interval"]["low"] < right[1::2].mean()
    assert {each["by"] for each in run["slices"]} == {"length in tokens", "confidence", "source"}
    assert "label: column 'stars'" in shown.err
    (file,) = out.glob("1-*.parquet")
    table = pq.read_table(file)
    assert table["correct"].to_pylist() == [*right]
    assert table["input"].to_pylist() == COLUMNS["review"]
    assert run["top_losses"][0] == int(np.argmax(table["loss"].to_numpy()))
    for folder, message in ((out, "holds something already"), (tiny.folder.model, "is in the run")):
        assert evaluate(tiny.folder, "--data", reviews, "-o", folder) == 2
        assert message in capsys.readouterr().err


def test_tables_are_printed(tiny: TinyRun, reviews: Path, right, capsys) -> None:
    assert evaluate(tiny.folder, "--data", reviews, "data.columns.label=stars") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{reviews}: 48 rows"  # a table by itself is no split
    assert any(line.startswith("accuracy") and f"{right.mean():.4f}" in line for line in lines)
    assert any(line.split()[0:1] == ["=neutral"] and line.endswith(" 16") for line in lines)
    assert any(line.startswith("length in tokens") for line in lines)


def test_a_draw_names_its_key(tiny: TinyRun, reviews: Path, capsys) -> None:
    assert evaluate(tiny.folder, "--data", reviews, "data.limit.test=30") == 0
    shown = capsys.readouterr()
    assert "test: 30 of 48 examples (data.limit.test)" in shown.err
    assert f"{reviews}: 30 rows" in shown.out
    assert "train" not in shown.err + shown.out


def test_columns_are_those_of_training_whatever_their_capitals(tiny, tmp_path, right) -> None:
    columns = {name.upper(): values for name, values in COLUMNS.items()}
    Dataset.from_dict(columns).to_parquet(tmp_path / "new.parquet")
    assert tiny.run.evaluate(tmp_path / "new.parquet").scores["accuracy"] == right.mean()


def test_rows_without_a_label_or_a_text_are_left_out(tiny: TinyRun, capsys) -> None:
    folder = tiny.folder.path.parent
    path = folder / "gaps.jsonl"
    columns = {
        "review": [None, *COLUMNS["review"][1:]],
        "label": [*COLUMNS["stars"][:-1], None],
    }
    Dataset.from_dict(columns).to_json(str(path))
    result = tiny.run.evaluate(path)
    assert result.num_rows == ROWS - 2
    assert result.left_out == {0: "text is None; expected a string"}
    shown = capsys.readouterr().out
    assert "label: column 'label'" in shown
    assert "1 of 48 rows left out: row 47: no label (None)" in shown


def test_runs_are_compared_on_the_same_rows(tiny: TinyRun, tmp_path, text_checkpoint) -> None:
    """Most labels are what one run says, so that the other one, which differs, is worse."""
    other = TinyRun(tmp_path / "other", text_checkpoint)
    other.model.classifier.weight.data *= -1
    other.save()
    ids = [run.logits(*COLUMNS["review"]).argmax(1) for run in (tiny, other)]
    stars = [NAMES[ids[i % 5 == 0][i]] for i in range(ROWS)]
    path = tmp_path / "new.csv"
    Dataset.from_dict({"review": COLUMNS["review"], "stars": stars}).to_csv(str(path))
    runs = [other.folder.path, tiny.folder.path, other.folder.path]
    result = graft.evaluate(runs, path)
    assert result.runs[1].scores["accuracy"] == 38 / ROWS
    better, same = [each for each in result.differences if each.metric == "accuracy"]
    assert better.difference == pytest.approx((38 - 10) / ROWS)
    assert 0 < better.interval.low < better.difference < better.interval.high
    assert better.verdict == "better"
    assert (same.difference, same.verdict) == (0.0, "no clear difference")
    assert (same.interval.low, same.interval.high) == (0.0, 0.0)
    reverse = graft.evaluate(runs[1::-1], path)
    assert {each.verdict for each in reverse.differences} == {"worse"}
    assert [*data_evaluation_text.lines(reverse)][-1].endswith("  worse")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--by", "sorce"], "--by sorce: no such column; did you mean 'source'?"),
        (["--split", "tst"], "--split tst: no such split; known: train"),
        (
            ["data.columns.label=star"],
            "data.columns.label: no column 'star'; did you mean 'stars'?",
        ),
        (["data.columns.label=source"], "2 of 2 labels are not among those of the run: 'web' (24"),
        (["data.splits.test=0.5"], "data.splits.test: a share of train is no split by itself"),
        (["runs/of/nobody"], "runs/of/nobody: not in a run folder"),
    ],
)
def test_mistakes_are_one_message(tiny: TinyRun, reviews: Path, words, message, capsys) -> None:
    assert evaluate(tiny.folder, *words, "--data", reviews) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_what_cannot_be_scored_is_refused(tiny, reviews, tmp_path, text_checkpoint) -> None:
    no_label = tmp_path / "no.csv"
    Dataset.from_dict({"review": ["a"], "n": [1]}).to_csv(str(no_label))
    with pytest.raises(DataError, match=r"is obviously the label \(looked for stars, label"):
        tiny.run.evaluate(no_label)
    no_text = tmp_path / "none.jsonl"
    Dataset.from_dict({"review": [None], "stars": ["positive"]}).to_json(str(no_text))
    with pytest.raises(DataError, match="no row can be scored: row 0: text is None"):
        tiny.run.evaluate(no_text)
    number = TinyRun(tmp_path / "number", text_checkpoint, labels=Labels(REGRESSION))
    with pytest.raises(RunError, match=r"its kind of label is regression, and that of .* single"):
        graft.evaluate([tiny.folder.path, number.folder.path], reviews)
    with pytest.raises(DataError, match="data: expected a path or a recipe, not dict"):
        tiny.run.evaluate(COLUMNS)
    with pytest.raises(RunError, match="no run is named"):
        graft.evaluate([], no_label)
    columns, labels = {"text": "text"}, Labels("language_modeling")
    text = TinyRun(tmp_path / "text", text_checkpoint, "masked_lm", labels, columns)
    with pytest.raises(ModelError, match="masked_lm predicts the text itself: there are no labels"):
        text.run.evaluate(no_label)


def test_a_recipe_says_what_to_read(tiny: TinyRun, tmp_path: Path, right) -> None:
    for name, rows in (("train", slice(0, 2)), ("test", slice(0, ROWS))):
        part = {column: values[rows] for column, values in COLUMNS.items()}
        part["stars"] = [NAMES.index(label) for label in part["stars"]]
        part["text of it"] = part.pop("review")
        (tmp_path / "data").mkdir(exist_ok=True)
        Dataset.from_dict(part).to_csv(str(tmp_path / "data" / f"{name}.csv"))
    recipe = tmp_path / "other.yaml"
    recipe.write_text(
        "task: text_classification\nmodel: owner/name\nstrategy: full\n"
        "data: {source: files, path: ./data, columns: {text: text of it, label: stars}}\n"
    )
    for data in (recipe, graft.load(recipe)):
        result = tiny.run.evaluate(data)
        assert result.data.endswith("(test)")
        assert result.scores["accuracy"] == right.mean()  # ids stand for the run's names


def test_several_labels_numbers_and_groups(tmp_path: Path, text_checkpoint: Path) -> None:
    several = TinyRun(tmp_path / "several", text_checkpoint, labels=Labels(MULTI, NAMES))
    given = several.logits(*TEXTS).numpy() > 0
    columns = {"review": TEXTS, "stars": [[*np.array(NAMES)[row]] for row in given]}
    path = tmp_path / "several.jsonl"
    Dataset.from_dict(columns).to_json(str(path))
    assert several.run.evaluate(path).scores == {"f1": 1.0, "accuracy": 1.0}
    number = TinyRun(tmp_path / "number", text_checkpoint, labels=Labels(REGRESSION))
    number.folder.recipe.write_text(
        number.folder.recipe.read_text().replace("path: /nowhere", "path: /nowhere, group: source")
    )
    expected = number.logits(*COLUMNS["review"])[:, 0].numpy()
    path = tmp_path / "numbers.csv"
    groups = [f"person {i // 3}" for i in range(ROWS)]
    columns = {"review": COLUMNS["review"], "stars": expected + 1, "source": groups}
    Dataset.from_dict(columns).to_csv(str(path))
    result = number.run.evaluate(path)
    assert result.scores["mse"] == pytest.approx(1, abs=1e-4)
    assert result.scores["pearson"] == pytest.approx(1, abs=1e-4)
    assert result.intervals["mse"].method == "bootstrap, 1000 draws of groups"


def test_words_questions_and_choices(tmp_path: Path, text_checkpoint: Path) -> None:
    tags = Labels(TOKENS, ("O", "B-PER", "I-PER"))
    columns = {"tokens": "tokens", "label": "ner_tags"}
    words = [["a", "great", "film"], ["bad", "plot"], ["x"]]
    run = TinyRun(tmp_path / "t", text_checkpoint, "token_classification", tags, columns).run
    predicted = [*run.predict({"tokens": words}).prediction]
    predicted[0] = ["-100", *predicted[0][1:]]  # a word without a tag is not scored
    path = tmp_path / "words.jsonl"
    rows = {"tokens": words, "ner_tags": [*predicted[:2], ["O", "O"]]}
    Dataset.from_dict(rows).to_json(str(path))
    result = run.evaluate(path)
    assert result.scores["accuracy"] == 1.0
    assert result.left_out == {2: "1 words, but 2 tags; expected a tag for each word"}

    columns = {"question": "question", "context": "context", "answers": "answers"}
    labels = Labels(PARTLY_ANSWERABLE)
    tiny = TinyRun(tmp_path / "q", text_checkpoint, "question_answering", labels, columns)
    recipe, task = tiny.folder.recipe.read_text(), "question_answering"
    tiny.folder.recipe.write_text(recipe.replace(task, f"{{name: {task}, stride: 4}}"))
    run = tiny.run
    contexts = ["the plot was good and the film was bad", "fine"]
    questions = {"question": ["was it good"] * 2, "context": contexts}
    table = run.predict(questions)
    answers = [
        {"text": [text] if text else [], "answer_start": [int(start)] if text else []}
        for text, start in zip(table.prediction, table.start, strict=True)
    ]
    path = tmp_path / "questions.jsonl"
    Dataset.from_dict({**questions, "answers": answers}).to_json(str(path))
    assert run.evaluate(path).scores == {"f1": 1.0, "exact_match": 1.0}

    labels = Labels(CHOICE, ("A", "B"))
    columns = {"text": "start", "choices": ["end0", "end1"], "label": "answer"}
    run = TinyRun(tmp_path / "c", text_checkpoint, "multiple_choice", labels, columns).run
    rows = {"start": ["the film was", "it"], "end0": ["good", "x"], "end1": ["bad", "y"]}
    predicted = [*run.predict(rows).prediction]
    path = tmp_path / "choices.csv"
    Dataset.from_dict({**rows, "answer": predicted}).to_csv(str(path))
    result = run.evaluate(path)
    assert result.scores == {"accuracy": 1.0}
    assert [each.label for each in result.runs[0].details.per_class] == ["A", "B"]


def test_folders_of_images_and_clips_with_transcripts(
    tmp_path, image_checkpoint, checkpoint
) -> None:
    labels = Labels(SINGLE, ("dark", "light", "middle"))
    columns = {"image": "image", "label": "label"}
    run = TinyRun(tmp_path / "i", image_checkpoint, "image_classification", labels, columns).run
    for number, name in enumerate(("dark", "light", "dark")):
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        file = tmp_path / "photos" / name / f"{number}.png"
        Image.new("RGB", (40, 32), (60 * number, 90, 200 - 80 * number)).save(file)
    files = sorted((tmp_path / "photos").rglob("*.png"))
    predicted = [*run.predict(files).prediction]
    result = run.evaluate(tmp_path / "photos")
    expected = np.array([file.parent.name for file in files])
    assert result.scores["accuracy"] == (expected == predicted).mean()
    spoken = Labels("speech_recognition", values=tuple(tiny_audio.LETTERS))
    columns = {"audio": "audio", "text": "text"}
    run = TinyRun(tmp_path / "s", checkpoint("hubert"), "speech_recognition", spoken, columns).run
    soundfile.write(tmp_path / "0.wav", tiny_audio.spoken("ab cd"), tiny_audio.RATE)
    (tmp_path / "clips.csv").write_text("audio,text\n0.wav,ab cd\n")
    predicted = run.predict([tmp_path / "0.wav"]).prediction[0]
    result = run.evaluate(tmp_path / "clips.csv")
    assert result.runs[0].predictions.predictions == [predicted]
    assert result.runs[0].predictions.targets == ["ab cd"]
    assert result.scores["wer"] > 0
