"""`graft demo`: what the page shows is what `graft predict` writes.

What is asked and shown is tried without gradio; the page itself where gradio is installed.
"""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import tiny_audio
from example_run import finished
from PIL import Image
from tiny_run import TinyRun

from pipelines import cli
from pipelines.core.errors import DataError, ModelError
from pipelines.core.labels import CHOICE, MULTI, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.data import media_paths
from pipelines.tasks.text.answerability import ANSWERABLE, PARTLY_ANSWERABLE
from pipelines.workflow import whole_examples
from pipelines.workflow.demo import answers, example_rows, fields, server
from pipelines.workflow.inference.predictor import of_run

HOSTILE = ("<img src=x onerror=alert(1)>", "`](http://evil)", "**positive**")
TEXT = "bad plot was good and a great film"
installed = pytest.mark.skipif(find_spec("gradio") is None, reason="needs gradio")


def shown(run: TinyRun, *values: Any) -> dict[str, Any]:
    """Title of each output -> what it shows."""
    predictor = of_run(run.folder)
    row = answers.predict(predictor, fields.of(predictor), values)
    return {each.title: each.value(row) for each in answers.outputs_of(predictor)}


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory, text_checkpoint: Path) -> TinyRun:
    root = tmp_path_factory.mktemp("reviews")
    conformal = {"calibration": {"conformal": {"threshold": 0.3}}}
    return TinyRun(root, text_checkpoint, labels=Labels(SINGLE, HOSTILE), metrics=conformal)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_label_with_its_probability_and_set(reviews: TinyRun) -> None:
    expected = reviews.logits(TEXT).softmax(1)[0].tolist()
    answer = shown(reviews, TEXT)
    by_label = dict(zip(HOSTILE, expected, strict=True))
    assert answer["probabilities"] == pytest.approx(by_label, abs=1e-5)
    members = [name for name, p in by_label.items() if p >= 0.3]
    assert answer["prediction set"] == ", ".join(members)
    with pytest.raises(DataError, match="row 0: text is None"):
        shown(reviews, None)


def test_several_labels_numbers_and_pairs(tmp_path: Path, text_checkpoint: Path) -> None:
    thresholds = {"labels": dict(zip(HOSTILE, (0.01, 0.99, 0.01), strict=True))}
    several = TinyRun(
        tmp_path / "a",
        text_checkpoint,
        labels=Labels(MULTI, HOSTILE),
        metrics={"thresholds": thresholds},
    )
    (row,) = several.run.predict([TEXT]).to_dict("records")
    answer = shown(several, TEXT)
    assert answer["labels"] == ", ".join(row["prediction"])
    assert {*answer["probabilities"]} == {*HOSTILE}
    number = TinyRun(tmp_path / "b", text_checkpoint, labels=Labels(REGRESSION))
    assert float(shown(number, TEXT)["number"]) == pytest.approx(
        number.logits(TEXT).item(), rel=1e-4
    )
    pair = TinyRun(tmp_path / "c", text_checkpoint)
    pair.add("data.json", {"columns": {"text": "premise", "text_pair": "hypothesis", "label": "l"}})
    assert [each.role for each in fields.of(of_run(pair.folder))] == ["text", "text_pair"]
    (row,) = pair.run.predict({"premise": ["a"], "hypothesis": [TEXT]}).to_dict("records")
    assert shown(pair, "a", TEXT)["probabilities"][row["prediction"]] == pytest.approx(
        row["probability"]
    )


@pytest.mark.parametrize("names", [("O", "B-PER", "I-PER"), ("NOUN", "VERB", "ADJ")])
def test_words_and_entities_are_marked(tmp_path, text_checkpoint, names) -> None:
    columns, labels = {"tokens": "words", "label": "tags"}, Labels(TOKENS, names, names)
    run = TinyRun(tmp_path, text_checkpoint, "token_classification", labels, columns)
    (row,) = run.run.predict([TEXT]).to_dict("records")
    spans = shown(run, TEXT)["tags"]
    assert "".join(text for text, _ in spans) == TEXT
    marked = [label for text, label in spans if text != " " and label]
    entities = row.get("entities")
    expected = row["prediction"] if entities is None else [each["label"] for each in entities]
    assert marked == expected


@pytest.mark.parametrize("problem_type", [ANSWERABLE, PARTLY_ANSWERABLE])
def test_an_answer_is_marked_in_its_context(tmp_path, text_checkpoint, problem_type) -> None:
    columns = {"question": "q", "context": "c", "answers": "answers"}
    labels = Labels(problem_type)
    run = TinyRun(tmp_path, text_checkpoint, "question_answering", labels, columns)
    recipe = run.folder.recipe.read_text()
    stride = "task: {name: question_answering, stride: 4}"
    run.folder.recipe.write_text(recipe.replace("task: question_answering", stride))
    answer = shown(run, "was it good", TEXT)
    assert "".join(text for text, _ in answer["context"]) == TEXT
    marked = [text for text, label in answer["context"] if label]
    assert marked == ([] if answer["answer"] == "none" else [answer["answer"]])
    # a page that gets more than a word in one piece breaks lines within words
    assert not any(len(text.split()) > 1 for text, label in answer["context"] if not label)


def test_choices(tmp_path: Path, text_checkpoint: Path) -> None:
    columns = {"text": "start", "choices": ["a", "b", "c"], "label": "label"}
    run = TinyRun(
        tmp_path, text_checkpoint, "multiple_choice", Labels(CHOICE, ("A", "B", "C")), columns
    )
    given = {"start": ["it was"], "a": ["good"], "b": ["film"], "c": ["it was"]}
    (row,) = run.run.predict(given).to_dict("records")
    answer = shown(run, "it was", "good", "film", "it was")
    assert answer["choice"] == row["choice"]
    assert max(answer["probabilities"], key=answer["probabilities"].get) == row["prediction"]


def test_files_of_images_and_sounds(tmp_path: Path, checkpoint: Any) -> None:
    files = {"image": tmp_path / "picture.png", "audio": tmp_path / "clip.wav"}
    Image.new("RGB", (40, 32), (60, 90, 200)).save(files["image"])
    soundfile.write(files["audio"], tiny_audio.tone(300, 0.1), tiny_audio.RATE)
    for modality, family in (("image", "resnet"), ("audio", "wav2vec2")):
        columns = {modality: modality, "label": "label"}
        task, labels = f"{modality}_classification", Labels(SINGLE, ("dark", "light"))
        run = TinyRun(tmp_path / family, checkpoint(family), task, labels, columns)
        (row,) = run.run.predict([files[modality]]).to_dict("records")
        # without its suffix, as a browser may send it
        unnamed = files[modality].rename(tmp_path / modality)
        answer = shown(run, str(unnamed))
        assert answer["probabilities"][row["prediction"]] == pytest.approx(row["probability"])
        unnamed.rename(files[modality])
    labels = Labels("speech_recognition", values=tuple(tiny_audio.LETTERS))
    columns = {"audio": "audio", "text": "text"}
    run = TinyRun(tmp_path / "s", checkpoint("hubert"), "speech_recognition", labels, columns)
    (row,) = run.run.predict([files["audio"]]).to_dict("records")
    answer = shown(run, str(files["audio"]))
    assert answer["transcript"] == row["prediction"]
    assert [word for word, *_ in answer["words, in seconds"]] == row["prediction"].split()


def test_examples_come_from_all_over_the_test_split(reviews: TinyRun, tmp_path: Path) -> None:
    run, field = reviews.folder, fields.Field
    run.predictions.mkdir(exist_ok=True)
    texts = [f"text {i}" for i in range(200)] + ["x" * 2000]
    contexts = [f"context {i}" for i in range(201)]
    file = run.predictions / "test.parquet"
    pq.write_table(pa.table({"input": texts, "context": contexts}), file)
    examples = example_rows.read(run.path, [field("text")])
    numbers = [int(text.removeprefix("text ")) for (text,) in examples]
    assert len({*numbers}) == len(numbers) == 8
    assert max(numbers) - min(numbers) > 150
    both = example_rows.read(run.path, [field("question"), field("context")])
    assert both[0] == [f"text {numbers[0]}", f"context {numbers[0]}"]
    pair = [field("text"), field("text_pair")]
    assert example_rows.read(run.path, pair) == []
    (tmp_path / "a.png").write_bytes(b"")
    inputs = [str(tmp_path / "a.png"), str(tmp_path / "gone.png"), None, "a\nb", "a\nb\nc"]
    pq.write_table(pa.table({"input": inputs}), file)
    assert example_rows.read(run.path, [field("image", "image")]) == [[inputs[0]]]
    assert example_rows.read(run.path, pair) == [["a", "b"]]
    file.write_bytes(b"PAR1")
    assert example_rows.read(run.path, [field("text")]) == []
    assert example_rows.read(tmp_path, [field("text")]) == []


@pytest.mark.parametrize("role", ["image", "audio"])
def test_examples_whose_bytes_stand_in_a_table_are_files_of_the_run(
    tmp_path: Path, role: str, monkeypatch, capsys
) -> None:
    from datasets import Dataset

    run, contents = finished(tmp_path / "runs"), []
    for number in range(20):
        file = tmp_path / "a file"
        if role == "image":
            Image.new("RGB", (8, 8), (number, 0, 0)).save(file, "PNG")
        else:
            samples = tiny_audio.tone(300 + number, 0.05)
            soundfile.write(file, samples, tiny_audio.RATE, format="WAVEX")
        contents.append(file.read_bytes())
    suffix = {"image": ".png", "audio": ".wav"}[role]
    names = [f"{number}{suffix}" for number in range(20)]
    media = [{"bytes": c, "path": n} for c, n in zip(contents, names, strict=True)]
    dataset = Dataset.from_dict({role: media}).cast_column(role, media_paths.feature(role))
    run.predictions.mkdir(exist_ok=True)
    table = pa.table({"row": range(20), "input": names})
    pq.write_table(table, run.predictions / "test.parquet")
    page = [fields.Field(role, fields.MEDIA[role])]
    # another file of that name where the page is started is none of the run
    monkeypatch.chdir(tmp_path)
    for name in names:
        (tmp_path / name).write_bytes(b"")
    assert example_rows.read(run.path, page) == []
    assert f"no examples on the page: {run.predictions} has no row whose {role} file" in (
        capsys.readouterr().err
    )
    run.examples.mkdir(exist_ok=True)
    whole_examples.save(run, "test", dataset, role)
    examples = example_rows.read(run.path, page)
    assert len(examples) == 8
    assert {Path(file).suffix for (file,) in examples} == {suffix}
    assert {Path(file).read_bytes() for (file,) in examples} <= {*contents}


def test_mistakes_are_one_message(reviews: TinyRun, monkeypatch, capsys) -> None:
    def refused(*words: str) -> str:
        assert cli.main(["demo", str(reviews.folder), *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    monkeypatch.setattr(server, "find_spec", lambda _: None)
    assert "gradio: not installed: pip install 'graft-finetune[demo]'" in refused()
    monkeypatch.setattr(server, "find_spec", lambda _: True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"--port {port}: in use on 127.0.0.1" in refused("--port", port)
    assert "--port 70000: in use on 127.0.0.1, or not allowed" in refused("--port", "70000")
    assert "--port 0: expected 1 or more" in refused("--port", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "started in several processes" in refused()


def test_text_itself_is_not_predicted(tmp_path: Path, text_checkpoint: Path, monkeypatch) -> None:
    run = TinyRun(
        tmp_path, text_checkpoint, "masked_lm", Labels("language_modeling"), {"text": "t"}
    )
    predictor = of_run(run.folder)
    with pytest.raises(ModelError, match="masked_lm predicts the text itself"):
        answers.wanted_of(predictor).check(predictor.task, predictor.labels)


class Visitor:
    """Asks a page as a browser does, whatever proxy the environment names."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, data: Any = None, **headers: str) -> tuple[Any, str]:
        """Headers and text of an answer."""
        body = None if data is None else json.dumps(data).encode()
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.address + path, body, headers)
        with self.opener.open(request, timeout=60) as answer:
            return answer.headers, answer.read().decode()

    def predict(self, text: str | None) -> str:
        """The events that a click on the button leads to."""
        _, begun = self.ask("gradio_api/call/predict", {"data": [text]})
        return self.ask(f"gradio_api/call/predict/{json.loads(begun)['event_id']}")[1]


@installed
def test_a_page_that_is_slow_to_answer_is_served(capsys) -> None:
    class Slow:
        """What gradio leaves where its own page does not answer it within three seconds."""

        is_running, local_url = True, "http://127.0.0.1:7860/"

        def launch(self, **options: Any) -> None:
            raise ValueError("When localhost is not accessible, a shareable link must be created.")

        def close(self, **options: Any) -> None:
            self.is_running = False

    page = Slow()
    server.serve(page, 7860, opens_browser=False, wait=lambda: None)
    assert capsys.readouterr().out == f"{page.local_url} (Ctrl-C ends it)\n"
    with pytest.raises(ValueError, match="localhost"):
        server.serve(page, 7860, opens_browser=False, wait=lambda: None)


@installed
@pytest.mark.slow
def test_the_page_answers_this_machine_loads_nothing_else_and_ends_silently(
    python_offline, reviews: TinyRun
) -> None:
    """One process for all of it: to import and start gradio takes seconds."""
    port = free_port()
    reviews.folder.predictions.mkdir(exist_ok=True)
    table = pa.table({"row": range(3), "input": [TEXT, "a film", HOSTILE[0]]})
    pq.write_table(table, reviews.folder.predictions / "test.parquet")
    code = "import sys; from pipelines import cli; sys.exit(cli.main(sys.argv[1:]))"
    words = ["demo", str(reviews.folder), "--no-browser", "--port", str(port)]
    foreign = {"HTTP_PROXY": "http://127.0.0.1:9", "GRADIO_SHARE": "True"}
    started = subprocess.Popen(
        [python_offline.path, "-c", code, *words],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **foreign},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout
    line = started.stdout.readline()
    assert line == f"http://127.0.0.1:{port}/ (Ctrl-C ends it)\n"
    visitor = Visitor(line.split()[0])
    headers, page = visitor.ask("")
    assert '"a film"' in page
    answer, mistake = visitor.predict(TEXT), visitor.predict(None)
    with pytest.raises(urllib.error.HTTPError) as refused:
        visitor.ask("", Host="evil.example")
    refused.value.close()
    started.send_signal(signal.SIGINT)
    out, error = started.communicate(timeout=60)
    assert (started.returncode, out, error) == (0, "", "")

    assert refused.value.code == 400
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    loaded = re.findall(r"<(?:script|link)[^>]+(?:src|href)=\"(https?://[^\"]+)", page)
    assert not [url for url in loaded if not url.startswith(visitor.address)]
    assert "<img src=x" not in page
    data = json.loads(re.search(r"event: complete\ndata: (.*)", answer)[1])
    confidences = {each["label"]: each["confidence"] for each in data[0]["confidences"]}
    expected = reviews.logits(TEXT).softmax(1)[0].tolist()
    assert confidences == pytest.approx(dict(zip(HOSTILE, expected, strict=True)), abs=1e-5)
    assert "event: error" in mistake
    assert "text is None" in mistake
