"""Python code that a checkpoint brings along: nobody is asked, and only what is trusted runs."""

import json
import shutil

import pytest
import yaml
from grafting import write_recipe
from huggingface_hub.errors import EntryNotFoundError

from pipelines.cli import main
from pipelines.core.errors import ModelError
from pipelines.models import trusted_code
from pipelines.models.section import Model
from pipelines.report.run_folder import RunFolder

CODE = """
from pathlib import Path

from transformers import BertConfig, BertForSequenceClassification

Path("{witness}").write_text("ran")


class OwnConfig(BertConfig):
    model_type = "own_bert"


class OwnModel(BertForSequenceClassification):
    config_class = OwnConfig
"""
AUTO_MAP = {
    "AutoConfig": "own_code.OwnConfig",
    "AutoModelForSequenceClassification": "own_code.OwnModel",
}


@pytest.fixture
def witness(tmp_path):
    """A file that the checkpoint's code writes."""
    return tmp_path / "witness"


@pytest.fixture
def foreign(checkpoint, tmp_path, witness):
    """A folder whose model is defined by a file in it."""
    folder = tmp_path / "own"
    shutil.copytree(checkpoint("bert"), folder)
    change(folder / "config.json", model_type="own_bert", auto_map=AUTO_MAP)
    (folder / "own_code.py").write_text(CODE.format(witness=witness))
    return folder


def change(file, **values):
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.fixture
def _nobody_answers(monkeypatch):
    def ask(question=""):
        raise AssertionError(f"somebody was asked: {question}")

    monkeypatch.setattr("builtins.input", ask)


@pytest.mark.usefixtures("_nobody_answers")
def test_code_that_is_not_trusted_does_not_run_and_nobody_is_asked(
    foreign, text_data, tmp_path, witness, capsys
):
    recipe = write_recipe(tmp_path, foreign, text_data)
    message = "needs Python code of its own, which was not run; read it, then set model.trust_remo"
    for command in (
        ["anatomy", str(foreign)],
        ["check", str(recipe)],
        ["predict", str(foreign), "good"],
    ):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {foreign}: {message}"), (command, error)
        assert error.count("\n") == 1
    assert not witness.exists()


@pytest.mark.slow
def test_code_of_a_folder_that_is_trusted_runs_and_is_locked(foreign, text_data, tmp_path, witness):
    model = {"checkpoint": str(foreign), "trust_remote_code": True}
    training = {"max_steps": 1, "eval_strategy": "no", "save_strategy": "no"}
    recipe = write_recipe(tmp_path, foreign, text_data, model=model, training=training)
    assert main(["run", str(recipe)]) == 0
    assert witness.read_text() == "ran"
    run = RunFolder(tmp_path / "runs" / "recipe" / "1")
    assert "own_code.py" in json.loads(run.lock.read_text())["model"]["files"]
    assert json.loads(run.metrics.read_text())["parity"]["ok"]
    assert yaml.safe_load(run.recipe.read_text())["model"]["trust_remote_code"] is True


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_trusted_code_of_another_repository_is_refused(foreign, witness, file):
    """It would be the newest of that repository, whatever was read."""
    change(foreign / file, auto_map={"AutoTokenizer": [None, "acme/code--own_code.OwnTokenizer"]})
    section = Model(checkpoint=str(foreign), trust_remote_code=True)
    with pytest.raises(ModelError, match=f"its {file} takes code from acme/code, at no commit"):
        trusted_code.check(section, "main")
    trusted_code.check(Model(checkpoint=str(foreign)), "main")  # then none runs


def test_random_weights_are_not_drawn_by_whatever_code_the_hub_has_now():
    section = Model(checkpoint="acme/own", trust_remote_code=True, revision="0a" * 20)
    with pytest.raises(ModelError, match="random weights would be drawn by the newest code of the"):
        trusted_code.check(section, section.revision, pretrained=False)


def test_code_of_the_checkpoint_s_own_repository_comes_at_its_commit(foreign, monkeypatch):
    def download(checkpoint, name, *, revision):
        assert (checkpoint, revision) == ("acme/own", "0a" * 20)
        if not (foreign / name).exists():
            raise EntryNotFoundError(name)
        return str(foreign / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    section = Model(checkpoint="acme/own", trust_remote_code=True, revision="0a" * 20)
    change(foreign / "config.json", auto_map={"AutoConfig": "acme/own--own_code.OwnConfig"})
    trusted_code.check(section, section.revision)
    change(foreign / "config.json", auto_map={"AutoConfig": "acme/other--own_code.OwnConfig"})
    with pytest.raises(ModelError, match=r"acme/own: its config.json takes code from acme/other"):
        trusted_code.check(section, section.revision)
