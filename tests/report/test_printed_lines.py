"""The lines that a run prints are run as they stand, and what they print is compared.

The process without Graft is `python_offline`, which starts in a moment; the model in it is a tiny
one that was never trained.
"""

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from datasets import Audio, Dataset, Image
from example_run import TWO, evidence
from grafting import prepare
from tiny_audio import tone, wav

from pipelines.core import registry
from pipelines.core.errors import ModelError
from pipelines.core.labels import MULTI, REGRESSION, Labels
from pipelines.models.output.head_layers import Linear
from pipelines.models.output.reload import reload
from pipelines.models.output.sentence import SentenceModel
from pipelines.models.revision import encoder_folder
from pipelines.report import printed_lines, printed_process
from pipelines.report.usage import usage

LINES = True  # not left out, as in other modules
TEXTS = Dataset.from_dict({"text": ["good film", "bad film, bad", "it 'was' \"so\" so\n"]})
MOODS = Labels(MULTI, ("calm", "merry"), ("calm", "merry"))
TASKS = {name: registry.find("tasks", f"{name}_classification")() for name in ("text", "audio")}


def answering(monkeypatch, *answers):
    """Let the process print these values for one example after the other; returns its lines."""
    lines = []

    def run(programs, _):
        lines.extend(programs)
        return list(answers)

    monkeypatch.setattr(printed_process, "run", run)
    return lines


def logits(values):
    """A model that gives the same logits for every row."""
    return lambda rows: {"logits": np.array([values] * len(rows))}


ONE = TEXTS.select([0])
HALVES = replace(MOODS, thresholds=(0.3, 0.9))


@pytest.mark.parametrize(
    ("labels", "values", "right", "wrong"),
    [
        (TWO, [0, 2], ["positive", 0.8808], ["negative", 0.8808]),
        (TWO, [0, 2], [[{"label": "positive", "score": 0.8808}]], ["positive", 0.7]),
        (TWO, [0, 2], [{"label": "positive", "score": 0.8808}], ["LABEL_1", 0.8808]),
        (TWO, [0, 2], ["positive", 0.8808], ["negative", 0.1192]),
        (MOODS, [0, 2], [{"calm": 0.5, "merry": 0.8808}], [{"calm": 0.5}]),
        (HALVES, [0, 2], [{"calm": 0.5}], [{}]),
        (HALVES, [0, 2], [[{"label": "calm", "score": 0.5}]], [[]]),
        (Labels(REGRESSION), [3000.0], [3000.1], [3100.0]),
        (Labels(REGRESSION), [3.0], [[{"label": "LABEL_0", "score": 3.0}]], [2.0]),
    ],
)
def test_labels_and_probabilities_are_compared(monkeypatch, labels, values, right, wrong):
    shown = evidence(labels=labels)
    for answer, is_right in ((right, True), (wrong, False)):
        answering(monkeypatch, answer)
        checked = printed_lines.check(shown, Path("m"), ONE, logits(values))
        assert checked
        assert (checked.problem == "") is is_right
        assert str(checked).startswith("ok" if is_right else "FAILED")


def test_a_task_without_one_answer_for_an_example_is_left_out():
    task = registry.find("tasks", "causal_lm")()
    assert printed_lines.check(evidence(task=task), Path("m"), TEXTS, logits([0, 1])) is None


@pytest.mark.parametrize(
    ("library", "line"),
    [
        ("transformers", "({'text': 'a \"b\"', 'text_pair': 'c'}))"),
        ("sentence-transformers", "encode([('a \"b\"', 'c')], convert_to_tensor=True)[0].softmax"),
    ],
)
def test_pairs_and_quotes_reach_the_lines_as_python(monkeypatch, library, line):
    pairs = Dataset.from_dict({"text": ['a "b"'], "text_pair": ["c"]})
    lines = answering(monkeypatch, ["positive", 0.8808])
    shown = evidence(library=library, pair=True)
    assert printed_lines.check(shown, Path('odd "name"'), pairs, logits([0, 2]))
    compile(lines[0], "lines", "exec")
    assert line in lines[0]
    assert r"odd \"name\"" in lines[0]


def test_images_and_sounds_are_given_as_files(monkeypatch, tmp_path):
    """Images of more than 8 bits are left out: of those the card says what to do."""
    from PIL import Image as Pillow

    Pillow.new("L", (4, 4)).save(tmp_path / "8.png")
    Pillow.new("I;16", (4, 4)).save(tmp_path / "16.png")
    files = [str(tmp_path / "16.png"), str(tmp_path / "8.png")]
    images = Dataset.from_dict({"image": files}).cast_column("image", Image())
    lines = answering(monkeypatch, ["positive", 0.8808])
    task = registry.find("tasks", "image_classification")()
    printed_lines.check(evidence(task=task), Path("m"), images, logits([0, 2]))
    assert [line.rpartition("(")[2] for line in lines] == [f"{files[1]!r}))"]

    clip = wav(tone(440.0, 0.1))
    clips = Dataset.from_list([{"audio": {"bytes": clip, "path": None}}]).cast_column(
        "audio", Audio(decode=False)
    )
    lines = answering(monkeypatch, ["positive", 0.8808])
    printed_lines.check(evidence(task=TASKS["audio"]), Path("m"), clips, logits([0, 2]))
    assert '.wav\', dtype="float32"' in lines[0]


def test_a_clip_is_cut_and_padded_as_in_training():
    task = registry.find("tasks", "audio_classification")(max_seconds=2, min_seconds=0.5)
    lines = usage(evidence(task=task), "m")
    assert "rate, wanted)[: round(2 * wanted)]" in lines
    assert "numpy.pad(sound, (0, max(0, round(0.5 * wanted) - len(sound))))" in lines
    compile(lines, "lines", "exec")


@pytest.mark.parametrize("thresholds", [(), (0.25, 0.5)])
def test_lines_for_sounds_with_several_labels_list_all_of_them(thresholds):
    labels = replace(MOODS, thresholds=thresholds)
    lines = usage(evidence(task=TASKS["audio"], labels=labels), "m")
    assert 'model="m", top_k=' in lines
    assert "soundfile.read" in lines
    assert ("label_thresholds" in lines) is bool(thresholds)


@pytest.mark.parametrize(
    ("done", "problem"),
    [
        (SimpleNamespace(returncode=1, stderr="…\nKeyError: 'x'"), "KeyError: 'x'"),
        (SimpleNamespace(returncode=1, stderr="torch.OutOfMemoryError: CUDA"), None),
        (SimpleNamespace(returncode=-9, stderr=""), None),
        (subprocess.TimeoutExpired("python", 9), None),
    ],
)
def test_lines_that_fail_are_wrong_and_a_process_that_ends_early_says_nothing(
    monkeypatch, capsys, done, problem
):
    def run(*_, **__):
        if isinstance(done, Exception):
            raise done
        return done

    monkeypatch.setattr(subprocess, "run", run)
    checked = printed_lines.check(evidence(), Path("m"), ONE, logits([0, 2]))
    assert (checked and checked.problem) == problem
    assert ("the lines below were not tried: " in capsys.readouterr().out) == (problem is None)


# In a process without Graft


@pytest.fixture(scope="module")
def probe(text_checkpoint, tmp_path_factory) -> tuple[Path, Labels]:
    """The folder of an encoder with a head on the mean of its states."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tmp_path_factory.mktemp("probe") / "model"
    model = AutoModelForSequenceClassification.from_pretrained(text_checkpoint, **TWO.config)
    weight = np.random.default_rng(0).normal(size=(2, model.config.hidden_size))
    head = Linear(weight.astype(np.float32), np.zeros(2, np.float32))
    extractor = SimpleNamespace(chosen="mean", layer="last")
    processor = AutoTokenizer.from_pretrained(text_checkpoint, model_max_length=20)
    SentenceModel(model, extractor, head).save(folder, processor)
    return folder, TWO


@pytest.fixture
def warm(monkeypatch, python_offline):
    """Let the process start in a moment, and keep it from seeing Graft where it is installed."""
    monkeypatch.setattr("sys.executable", str(python_offline.path))


@pytest.mark.slow
def test_the_lines_of_a_probe_give_what_it_predicts(probe, warm):
    folder, labels = probe
    shown = evidence(library="sentence-transformers", labels=labels)
    predict = reload(folder, shown.library, shown.task, labels)
    checked = printed_lines.check(shown, folder, TEXTS, predict)
    assert checked
    assert checked.problem == ""
    assert checked.examples == 3
    swapped = replace(labels, names=labels.names[::-1])
    assert printed_lines.check(replace(shown, labels=swapped), folder, TEXTS, predict).problem
    missing = printed_lines.check(shown, folder / "nothing", TEXTS, predict)
    assert "nothing" in missing.problem


def test_its_encoder_can_be_trained_on_and_a_recipe_that_names_the_folder_is_told_where_it_is(
    probe, text_data, tmp_path
):
    folder, _ = probe
    with pytest.raises(
        ModelError, match=r"model\.checkpoint=\S+/0_Transformer starts from its enc"
    ):
        prepare(tmp_path, folder, text_data)
    assert encoder_folder(folder) == folder / "0_Transformer"
    ready = prepare(tmp_path, encoder_folder(folder), text_data)
    assert ready.checkpoint.newly_initialized == ("classifier.bias", "classifier.weight")


def test_no_class_of_transformers_guesses_from_the_folder_of_a_probe(probe):
    """With the encoder's config at its top, each would load it with a random head."""
    import transformers

    folder, _ = probe
    assert not (folder / "config.json").exists()
    for load in (
        lambda: transformers.pipeline("text-classification", model=str(folder)),
        lambda: transformers.AutoModelForSequenceClassification.from_pretrained(folder),
    ):
        with pytest.raises(ValueError, match="Unrecognized model"):
            load()
