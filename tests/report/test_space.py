"""`graft push --space`: an app that shows the pushed model with its own library alone.

The apps are run here as they are pushed, but for the model's address; what they show is compared
with what `graft predict` writes.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tiny_audio
import yaml
from hub_server import HubServer
from PIL import Image
from tiny_run import TinyRun

from pipelines import cli
from pipelines.core.errors import HubError, RunError
from pipelines.core.labels import CHOICE, MULTI, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.report import push as hub_stage
from pipelines.report.space import files
from pipelines.tasks.text.answerability import ANSWERABLE, PARTLY_ANSWERABLE

MODEL, SPACE = "some-lab/reviews", "some-lab/reviews-demo"
HOSTILE = ("</script><script>alert(1)</script>", '"""\nimport os', "{model}", "ok")
ROOT = Path(__file__).parents[2]
PUSH = "import sys; from pipelines import cli; sys.exit(cli.main(sys.argv[1:]))"


def predict_of(run: TinyRun) -> Any:
    """Run app.py, but for its page, and return what it calls."""
    code = files.write(run.folder, MODEL, private=True)["app.py"]
    assert not {name for name in HOSTILE if name in code} - {"ok"}
    variables: dict[str, Any] = {"__name__": "app"}
    exec(code.replace(MODEL, str(run.folder.model)), variables)
    return variables["predict"]


@pytest.mark.parametrize("kind", [SINGLE, MULTI, REGRESSION])
def test_texts(tmp_path: Path, text_checkpoint: Path, kind: str) -> None:
    labels = Labels(kind) if kind == REGRESSION else Labels(kind, HOSTILE)
    run = TinyRun(tmp_path, text_checkpoint, labels=labels)
    answer, logits = predict_of(run)("a great film"), run.logits("a great film")[0]
    if kind == REGRESSION:
        assert float(answer) == pytest.approx(logits.item(), rel=1e-4)
        return
    expected = logits.sigmoid() if kind == MULTI else logits.softmax(0)
    assert answer == pytest.approx(dict(zip(HOSTILE, expected.tolist(), strict=True)), abs=1e-5)


def test_pairs(tmp_path: Path, text_checkpoint: Path) -> None:
    run = TinyRun(tmp_path, text_checkpoint)
    run.add("data.json", {"columns": {"text": "premise", "text_pair": "hypothesis"}})
    (row,) = run.run.predict({"premise": ["a film"], "hypothesis": ["bad"]}).to_dict("records")
    answer = predict_of(run)("a film", "bad")
    assert max(answer, key=answer.get) == row["prediction"]
    assert max(answer.values()) == pytest.approx(row["probability"], abs=1e-5)


def test_pictures_and_sounds(tmp_path: Path, checkpoint: Any) -> None:
    labels = Labels(SINGLE, ("dark", "light", "middle"))
    picture, clip = tmp_path / "a.png", tmp_path / "a.wav"
    Image.new("RGB", (32, 32), (60, 90, 200)).save(picture)
    soundfile.write(clip, tiny_audio.tone(300, 0.1), tiny_audio.RATE)
    families = {"image": ("resnet", picture), "audio": ("wav2vec2", clip)}
    for modality, (family, file) in families.items():
        task, columns = f"{modality}_classification", {modality: modality, "label": "label"}
        run = TinyRun(tmp_path / family, checkpoint(family), task, labels, columns)
        (row,) = run.run.predict([file]).to_dict("records")
        given = Image.open(file) if modality == "image" else str(file)
        answer = predict_of(run)(given)
        assert max(answer, key=answer.get) == row["prediction"]
        assert max(answer.values()) == pytest.approx(row["probability"], abs=1e-4)


# its tokenizer has no marks of continued words
@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
def test_words(tmp_path: Path, text_checkpoint: Path) -> None:
    tags = Labels(TOKENS, ("O", "B-PER", "I-PER"), ("O", "B-PER", "I-PER"))
    columns = {"tokens": "tokens", "label": "ner_tags"}
    run = TinyRun(tmp_path / "a", text_checkpoint, "token_classification", tags, columns)
    text = "bad plot was good and a great film"
    (row,) = run.run.predict([text]).to_dict("records")
    shown = predict_of(run)(text)
    words = [len(text[: e["start"]].split()) for e in shown["entities"]]
    assert words == [e["first"] for e in row["entities"]]


@pytest.mark.parametrize("kind", [ANSWERABLE, PARTLY_ANSWERABLE])
def test_answers(tmp_path: Path, text_checkpoint: Path, kind: str) -> None:
    columns = {"question": "question", "context": "context", "answers": "answers"}
    run = TinyRun(tmp_path, text_checkpoint, "question_answering", Labels(kind), columns)
    recipe = run.folder.recipe.read_text()
    stride = "task: {name: question_answering, stride: 4}"
    run.folder.recipe.write_text(recipe.replace("task: question_answering", stride))
    # an answer is spelled as its context is, whatever the tokenizer makes of it
    text = "Bad Plot Was Good And A Great Film"
    (row,) = run.run.predict({"question": ["was it"], "context": [text]}).to_dict("records")
    assert predict_of(run)("was it", text) == row["prediction"]
    assert row["prediction"] in text


def test_what_is_written_beside_the_app(tmp_path, text_checkpoint) -> None:
    run = TinyRun(tmp_path, text_checkpoint, labels=Labels(SINGLE, HOSTILE))
    texts = files.write(run.folder, MODEL, private=True)
    assert {*texts} == {"app.py", "README.md", "requirements.txt"}
    _, metadata, text = texts["README.md"].split("---\n", 2)
    values = yaml.safe_load(metadata)
    assert (values["sdk"], values["app_file"]) == ("gradio", "app.py")
    assert values["models"] == [MODEL]
    assert "the secret `HF_TOKEN`" in text
    assert "private" not in files.write(run.folder, MODEL, private=False)["README.md"]
    assert texts["requirements.txt"].splitlines()[0] == "torch"
    assert "num_top_classes=4," in texts["app.py"]  # of many labels a page shows the likeliest
    many = TinyRun(tmp_path / "many", text_checkpoint, labels=Labels(SINGLE, tuple("abcdefghijkl")))
    assert "num_top_classes=10," in files.write(many.folder, MODEL, private=True)["app.py"]
    # a head on the vectors of two texts stands beside an encoder of sentences
    (run.folder.model / "pair_head.safetensors").touch()
    texts = files.write(run.folder, MODEL, private=True)
    assert "sentence-transformers" in texts["requirements.txt"]
    assert "with sentence-transformers alone" in texts["README.md"]


def test_what_has_no_app_is_refused_before_anything_is_pushed(
    tmp_path, text_checkpoint, capsys
) -> None:
    labels, columns = Labels(CHOICE, ("A", "B")), {"text": "a", "choices": ["b", "c"]}
    run = TinyRun(tmp_path, text_checkpoint, "multiple_choice", labels, columns)
    refused = {
        (): "name the repository, such as me/reviews",
        ("--space", SPACE): "there is no app for multiple_choice; expected text_classification",
        ("--space", "reviews"): "'reviews' cannot name a repository; expected owner/name",
    }
    for words, message in refused.items():
        assert cli.main(["push", str(run.folder), *words]) == 2
        assert message in capsys.readouterr().err
    run.folder.recipe.write_text(
        run.folder.recipe.read_text().replace("multiple_choice", "text_classification")
    )
    (run.folder.model / "adapter_config.json").write_text("{}")
    with pytest.raises(RunError, match=r"train with strategy\.save=merged"):
        files.write(run.folder, MODEL, private=True)
    with pytest.raises(HubError, match="cannot name a repository"):
        hub_stage.check_name("a b/c")


@pytest.mark.slow
def test_a_space_is_pushed_beside_the_model(python, tmp_path, text_checkpoint) -> None:
    run = TinyRun(tmp_path, text_checkpoint)
    with HubServer(tmp_path / "hub") as hub:
        environment = {**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "home")}
        environment["GRAFT_HUB_WAIT"] = "0"  # between the tries of a push that fails

        def push(*words: str) -> "subprocess.CompletedProcess[str]":
            command = [python.path, "-c", PUSH, "push", str(run.folder), *words]
            options: dict[str, Any] = {"env": environment, "cwd": ROOT, "timeout": 120}
            return subprocess.run(command, **options, capture_output=True, text=True)

        pushed = push(MODEL, "--space", SPACE)
        assert pushed.returncode == 0, pushed.stderr
        assert f"pushed to {hub.endpoint}/{MODEL}\n" in pushed.stdout
        assert "%|" not in pushed.stderr  # bars are for terminals
        assert f"its Space: {hub.endpoint}/spaces/{SPACE}\n" in pushed.stdout
        expected = [".gitattributes", "README.md", "app.py", "requirements.txt"]
        assert hub.files(SPACE, kind="space") == expected
        assert hub.repo(SPACE, kind="space").private
        assert f'model="{MODEL}"'.encode() in hub.read(SPACE, "app.py", kind="space")
        assert "model.safetensors" in hub.files(MODEL)
        contents = [hub.read(SPACE, name, kind="space") for name in expected]
        assert not any(hub.token.encode() in content for content in contents)
        # without a name of its own, the model has that of the Space
        assert push("--space", "some-lab/both", "--public").returncode == 0
        assert "model.safetensors" in hub.files("some-lab/both")
        assert not hub.repo("some-lab/both", kind="space").private
        hub.fail_commits = 503
        failed = push(MODEL, "--space", "some-lab/other")
        assert failed.returncode == 2
        assert "push to some-lab/other failed" in failed.stderr
        assert failed.stderr.endswith(f" {MODEL} --space some-lab/other\n")
        assert hub.token not in pushed.stdout + failed.stderr


def test_the_same_numbers_from_pooled_features(tmp_path, text_checkpoint, monkeypatch) -> None:
    """A model of sentence-transformers gives logits: the app makes probabilities of them."""
    run = TinyRun(tmp_path, text_checkpoint)
    (run.folder.model / "modules.json").write_text("[]")
    logits = run.logits("bad")

    class Stand:
        config = run.model.config

        def __init__(self, name: str) -> None:
            assert name == str(run.folder.model)

        def encode(self, texts: list[Any], *, convert_to_tensor: bool) -> Any:
            assert (texts, convert_to_tensor) == (["bad"], True)
            return logits

    monkeypatch.setattr("sentence_transformers.SentenceTransformer", Stand)
    answer = predict_of(run)("bad")
    assert np.allclose([*answer.values()], logits[0].softmax(0))
    assert [*answer] == [*run.labels.names]
