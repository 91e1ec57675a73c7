"""`graft predict` for each task: what its own library says, in columns."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tiny_audio
import torch
import transformers
from PIL import Image
from tiny_run import TinyRun

import pipelines as graft
from pipelines import cli
from pipelines.core.errors import DataError, ModelError
from pipelines.core.labels import CHOICE, SINGLE, TOKENS, Labels
from pipelines.tasks.text.answerability import ANSWERABLE, PARTLY_ANSWERABLE

SHADES = Labels(SINGLE, ("dark", "light", "middle"))
TAGS = Labels(TOKENS, ("O", "B-PER", "I-PER"), ("O", "B-PER", "I-PER"))


@pytest.fixture(scope="module")
def shades(tmp_path_factory: pytest.TempPathFactory, image_checkpoint: Path) -> TinyRun:
    root, columns = tmp_path_factory.mktemp("shades"), {"image": "image", "label": "label"}
    return TinyRun(root, image_checkpoint, "image_classification", SHADES, columns)


def folder_of_images(folder: Path) -> list[Path]:
    """Three images, one of them in a folder, and a file that is none."""
    (folder / "more").mkdir(parents=True)
    files = [folder / "a.png", folder / "more" / "b.jpg", folder / "z.png"]
    for number, file in enumerate(files):
        Image.new("RGB", (40, 32), (60 * number, 90, 200 - 80 * number)).save(file)
    (folder / "broken.png").write_bytes(b"<html>not found</html>")
    return files


def table_of(file: Path) -> list[dict[str, str]]:
    return [*csv.DictReader(file.read_text().splitlines())]


def shade(run: TinyRun, file: Path) -> str:
    inputs = run.processor(Image.open(file).convert("RGB"), return_tensors="pt")
    return SHADES.names[run.outputs(**inputs).logits.argmax().item()]


def test_a_folder_of_images_needs_no_labels(shades: TinyRun, tmp_path: Path, capsys) -> None:
    files = folder_of_images(tmp_path / "photos")
    output = tmp_path / "out.csv"
    assert (
        cli.main(["predict", str(shades.folder), str(tmp_path / "photos"), "-o", str(output)]) == 0
    )
    rows = table_of(output)
    assert [row["file"] for row in rows] == [*map(str, files)]
    assert [row["prediction"] for row in rows] == [shade(shades, file) for file in files]
    bad = table_of(output.with_name("out.bad.csv"))
    assert [(row["row"], Path(row["file"]).name) for row in bad] == [("1", "broken.png")]
    assert "an HTML page" in bad[0]["reason"]
    assert "1 of 4 rows cannot be predicted" in capsys.readouterr().err


def test_images_are_paths_tables_or_pictures(shades: TinyRun, tmp_path: Path) -> None:
    files = folder_of_images(tmp_path / "photos")
    expected = [shade(shades, file) for file in files]
    assert [*shades.run.predict(files).prediction] == expected
    (tmp_path / "list.csv").write_text("id,image\n" + "".join(f"7,{file}\n" for file in files))
    table = shades.run.predict(tmp_path / "list.csv")
    assert [*table.prediction] == expected
    assert [*table.id] == [7, 7, 7]
    pictures = [Image.open(file).convert("RGB") for file in files[::2]]
    assert [*shades.run.predict(pictures).prediction] == expected[::2]
    with pytest.raises(DataError, match="nosuch: no such file or folder"):
        shades.run.predict("nosuch")


def test_nothing_of_the_images_stays_in_the_cache(shades, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    shades.run.predict(folder_of_images(tmp_path / "photos"))
    values = {path.parent.name for path in (tmp_path / "cache").rglob("*.safetensors")}
    assert values <= {"colors"}  # of the processor


def test_sounds_are_classified(tmp_path: Path, checkpoint) -> None:
    columns = {"audio": "audio", "label": "label"}
    run = TinyRun(tmp_path, checkpoint("wav2vec2"), "audio_classification", SHADES, columns)
    clips = {"a.wav": tiny_audio.tone(300, 0.1), "b.wav": tiny_audio.tone(3000, 0.05)}
    for name, samples in clips.items():
        soundfile.write(tmp_path / name, samples, tiny_audio.RATE)
    (tmp_path / "c.wav").write_bytes(b"RIFF")
    table = run.run.predict([tmp_path / name for name in (*clips, "c.wav")])
    read = [soundfile.read(tmp_path / name, dtype="float32")[0] for name in clips]
    encoded = [
        run.processor(one, sampling_rate=tiny_audio.RATE, return_tensors="pt") for one in read
    ]
    logits = torch.cat([run.outputs(**inputs).logits for inputs in encoded])
    assert [*table.prediction] == [SHADES.names[i] for i in logits.argmax(1)]
    assert np.allclose(table.probability, logits.softmax(1).max(1).values, atol=1e-4)
    samples = [{"array": one, "sampling_rate": tiny_audio.RATE} for one in read]
    assert np.allclose(run.run.predict(samples).probability, table.probability, atol=1e-4)
    with pytest.raises(DataError, match="a sound is ndarray; expected a file, or samples with"):
        run.run.predict(read)


def test_speech_becomes_words_with_times(tmp_path: Path, checkpoint) -> None:
    labels = Labels("speech_recognition", values=tuple(tiny_audio.LETTERS))
    columns = {"audio": "audio", "text": "text"}
    run = TinyRun(tmp_path, checkpoint("hubert"), "speech_recognition", labels, columns)
    clips = [tiny_audio.spoken("ab cd"), tiny_audio.spoken("d")]
    for number, samples in enumerate(clips):
        soundfile.write(tmp_path / f"{number}.wav", samples, tiny_audio.RATE)
    table = run.run.predict([tmp_path / "0.wav", tmp_path / "1.wav"])
    for number, row in enumerate(table.itertuples()):
        samples, rate = soundfile.read(tmp_path / f"{number}.wav", dtype="float32")
        inputs = run.processor(samples, sampling_rate=rate, return_tensors="pt")
        ids = run.outputs(**inputs).logits[0].argmax(-1)
        assert row.prediction == run.processor.decode(ids)
        assert [word["word"] for word in row.words] == row.prediction.split()
        times = [word[place] for word in row.words for place in ("start", "end")]
        assert times == sorted(times)
        assert all(0 <= time <= len(samples) / rate for time in times)


def test_words_get_tags_and_entities(tmp_path: Path, text_checkpoint: Path) -> None:
    columns = {"tokens": "tokens", "label": "ner_tags"}
    run = TinyRun(tmp_path, text_checkpoint, "token_classification", TAGS, columns)
    texts = ["a great film", "bad plot was it and of the good fine awful poor " * 5, "film"]
    table = run.run.predict(texts)
    words = [text.split() for text in texts]
    # the second one is longer than the model takes, and is read in windows
    assert [*map(len, table.prediction)] == [*map(len, words)]
    for row in (0, 2):
        inputs = run.processor(words[row], is_split_into_words=True, return_tensors="pt")
        logits = run.outputs(**inputs).logits[0, 1:-1]
        assert table.prediction[row] == [TAGS.names[i] for i in logits.argmax(1)]
        assert np.allclose(table.probability[row], logits.softmax(1).max(1).values, atol=1e-4)
    for tags, entities in zip(table.prediction, table.entities, strict=True):
        assert {tag for tag in tags if tag != "O"} <= {"B-PER", "I-PER"}
        inside = [i for each in entities for i in range(each["first"], each["end"])]
        assert inside == [i for i, tag in enumerate(tags) if tag != "O"]
        assert {each["label"] for each in entities} <= {"PER"}
    split = run.run.predict({"tokens": words, "id": [1, 2, 3]})
    assert [*split.prediction] == [*table.prediction]
    for nothing in (None, " "):
        with pytest.raises(DataError, match="tokens is None"):
            run.run.predict({"tokens": [nothing]})


@pytest.mark.parametrize("problem_type", [ANSWERABLE, PARTLY_ANSWERABLE])
def test_questions_get_spans(tmp_path: Path, text_checkpoint: Path, problem_type: str) -> None:
    columns = {"question": "question", "context": "context", "answers": "answers"}
    task, labels = "question_answering", Labels(problem_type)
    run = TinyRun(tmp_path, text_checkpoint, task, labels, columns)
    run.folder.recipe.write_text(
        run.folder.recipe.read_text().replace(task, f"{{name: {task}, stride: 4}}")
    )
    contexts = ["  the plot was good and the film was bad", "a great film " * 20, "fine"]
    table = run.run.predict({"question": ["was it good"] * 3, "context": contexts})
    for row in table.itertuples():
        if row.prediction:
            assert row.context[int(row.start) : int(row.end)] == row.prediction
        else:
            assert problem_type == PARTLY_ANSWERABLE
            assert np.isnan(row.start)
            assert np.isnan(row.end)
    assert table.prediction.any()


def test_choices_get_a_place_and_a_text(tmp_path: Path, text_checkpoint: Path) -> None:
    labels = Labels(CHOICE, ("A", "B", "C"))
    columns = {"text": "start", "choices": ["end0", "end1", "end2"], "label": "label"}
    run = TinyRun(tmp_path, text_checkpoint, "multiple_choice", labels, columns)
    endings = {"end0": ["good", "bad"], "end1": ["film", "plot"], "end2": ["it was", None]}
    table = run.run.predict({"start": ["the film was", "a"], **endings}, top_k=3)
    pairs = [("the film was", endings[f"end{i}"][0]) for i in range(3)]
    inputs = run.processor(*zip(*pairs, strict=True), padding=True, return_tensors="pt")
    best = run.outputs(**{name: t.unsqueeze(0) for name, t in inputs.items()}).logits.argmax()
    assert [*table.index] == [0]
    assert table.prediction[0] == "ABC"[best]
    assert table.choice[0] == pairs[best][1]
    assert {table.prediction_1[0], table.prediction_2[0], table.prediction_3[0]} == {*"ABC"}


@pytest.mark.parametrize("task", ["causal_lm", "masked_lm"])
def test_text_itself_is_not_predicted(tmp_path: Path, text_checkpoint: Path, task: str) -> None:
    labels = Labels("language_modeling")
    run = TinyRun(tmp_path, text_checkpoint, "masked_lm", labels, {"text": "text"})
    run.folder.recipe.write_text(run.folder.recipe.read_text().replace("masked_lm", task))
    with pytest.raises(ModelError, match=f"{task} predicts the text itself"):
        run.run.predict("a great film")


def test_a_checkpoint_that_was_trained_elsewhere(tmp_path: Path, text_checkpoint: Path) -> None:
    labels = Labels(SINGLE, ("crane", "film", "crane"))  # ImageNet has two cranes
    elsewhere = TinyRun(tmp_path / "run", text_checkpoint, labels=labels).folder.model
    elsewhere = elsewhere.rename(tmp_path / "elsewhere")
    texts = ["a great film", "bad"]
    table = graft.predict(elsewhere, {"review": texts, "label": ["x", "y"]})
    model = transformers.pipeline("text-classification", model=str(elsewhere), device="cpu")
    expected = model(texts)
    assert [*table.prediction] == [each["label"] for each in expected]
    assert np.allclose(table.probability, [each["score"] for each in expected], atol=1e-4)
    assert [*table.label] == ["x", "y"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": ["BertModel"]}, "BertModel names no head that was trained for a task"),
        ({"architectures": ["BertForMaskedLM"]}, "masked_lm predicts the text itself"),
        ({"architectures": ["BertForMultipleChoice"]}, "does not say how many choices"),
        ({"architectures": ["BertForTokenClassification"], "id2label": {"0": "x"}}, "lacks"),
    ],
)
def test_a_checkpoint_without_a_trained_head_is_refused(
    tmp_path: Path, text_checkpoint: Path, change: dict[str, Any], message: str
) -> None:
    elsewhere = TinyRun(tmp_path / "run", text_checkpoint).folder.model
    elsewhere = elsewhere.rename(tmp_path / "elsewhere")
    if "id2label" in change:
        (elsewhere / "model.safetensors").unlink()
        transformers.AutoModel.from_pretrained(text_checkpoint).save_pretrained(elsewhere)
    config = elsewhere / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    with pytest.raises(ModelError, match=message):
        graft.predict(elsewhere, "bad")
