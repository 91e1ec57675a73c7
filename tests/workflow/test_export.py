"""`graft export`: the file gives what the saved model gives, for any number and length of rows."""

import ast
import re

import numpy as np
import onnxruntime
import pytest
import tiny_audio
from example_run import finished
from grafting import write_recipe
from tiny_run import TinyRun
from transformers import AutoTokenizer

from pipelines.cli import main
from pipelines.core import registry
from pipelines.report import onnx_usage
from pipelines.report.run_folder import RunFolder
from pipelines.tasks.text_classification import TextClassification
from pipelines.workflow.export import decisions

ONE = {"max_steps": 1}


@pytest.fixture
def run(checkpoint, text_data, image_data, tmp_path):
    """run(family, strategy, **sections): the folder of a finished run."""

    def run(family, strategy="full", *, data=text_data, **sections):
        path = write_recipe(
            tmp_path, checkpoint(family), data, strategy=strategy, training=ONE, **sections
        )
        assert main(["run", str(path)]) == 0
        return tmp_path / "runs" / "recipe" / "1"

    return run


def outputs(folder, texts):
    """What the file says of texts."""
    session = onnxruntime.InferenceSession(str(folder / "onnx" / "model.onnx"))
    encoder = folder / "model"
    encoder = encoder / "0_Transformer" if (encoder / "0_Transformer").is_dir() else encoder
    inputs = AutoTokenizer.from_pretrained(encoder)(texts, padding=True, return_tensors="np")
    return session.run(None, {each.name: inputs[each.name] for each in session.get_inputs()})[0]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", "linear_probe"])
def test_texts_of_any_number_and_length(run, strategy, capsys):
    folder = run("bert", strategy)
    assert main(["export", str(folder), "--int8"]) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"outputs differ by at most [\d.e-]+, [\d.]+% of the answers", out)) == 2
    assert (folder / "onnx" / "model_int8.onnx").is_file()
    steps = re.findall("^export: ([a-z]+)", out, re.MULTILINE)
    assert steps == ["reads", "writes", "compares", "writes", "compares"]
    texts = ["good", "bad and then some more words", "good bad good"]
    together = outputs(folder, texts)
    alone = np.concatenate([outputs(folder, [text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    lines = out[out.index("from onnxruntime") :]
    exec(lines, {})


@pytest.mark.slow
def test_pictures(run, image_data, capsys):
    folder = run("resnet", data=image_data, task="image")
    capsys.readouterr()
    assert main(["export", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "100.0% of the answers are the same" in out
    assert "new in the model" not in out  # as training has it


@pytest.mark.slow
def test_speech_is_one_pass_of_sounds_of_any_length(run, tmp_path, capsys):
    """CTC names a letter for each frame; words follow from these, outside of the graph."""
    data = tiny_audio.speech_data(tmp_path / "speech")
    folder = run("wav2vec2", data=data, task="speech_recognition")
    assert main(["export", str(folder)]) == 0
    assert "100.0% of the answers are the same" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(str(folder / "onnx" / "model.onnx"))
    frames = [
        session.run(None, {"input_values": np.zeros((1, size), "float32")})[0].shape[1]
        for size in (3_000, 9_000)
    ]
    assert frames[0] < frames[1]


def test_the_lines_are_python_whatever_the_folder_is_called(tmp_path):
    folder, task = RunFolder(tmp_path / 'my "runs"' / "1"), TextClassification()
    folder.path.mkdir(parents=True)
    folder.data.write_text("{}")
    lines = onnx_usage.usage(folder, task, folder.path / "model.onnx")
    texts = [node.value for node in ast.walk(ast.parse(lines)) if isinstance(node, ast.Constant)]
    assert {str(folder.path / "model.onnx"), str(folder.model)} <= {*texts}


def test_of_several_labels_each_is_an_answer():
    logits = np.array([[2.0, 1.0], [2.0, -1.0]])
    assert decisions(logits, several=True).tolist() == [True, True, True, False]
    assert decisions(logits, several=False).tolist() == [0, 0]


def test_what_has_no_graph_of_its_own_is_refused(run, capsys):
    folder = run("bert", {"name": "lora", "save": "adapter"})
    assert main(["export", str(folder)]) == 2
    assert "train with strategy.save=merged" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["file", "file/folder"])
def test_where_nothing_can_be_written_is_refused_before_data_are_read(
    text_checkpoint, tmp_path, name, capsys
):
    run = TinyRun(tmp_path, text_checkpoint)  # its data are nowhere
    (tmp_path / "file").write_text("")
    for command in (["export"], ["explain", "a text"]):
        word, *inputs = command
        arguments = [word, str(run.folder), *inputs, "--to", str(tmp_path / name)]
        assert main(arguments) == 2
        assert "file: is a file; name another" in capsys.readouterr().err


def test_a_missing_library_is_named_with_how_to_install_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pipelines.models.output.onnx_file.find_spec", lambda _: None)
    assert main(["export", str(tmp_path)]) == 2
    assert "pip install 'graft-finetune[export]'" in capsys.readouterr().err


def test_the_lines_for_two_texts_give_the_model_both(tmp_path):
    folder, text = finished(tmp_path), registry.find("tasks", "text_classification")()
    folder.data.write_text('{"columns": {"text": "a", "text_pair": "b"}}')
    assert 'read("…", "…", truncation=True' in onnx_usage.usage(folder, text, tmp_path / "m.onnx")
    folder.data.write_text('{"columns": {"text": "a"}}')
    assert 'read("…", truncation=True' in onnx_usage.usage(folder, text, tmp_path / "m.onnx")
    questions = registry.find("tasks", "question_answering")()
    assert 'read("…", "…",' in onnx_usage.usage(folder, questions, tmp_path / "m.onnx")
