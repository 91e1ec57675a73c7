"""A run that is repeated from its lock: bit for bit, or refused by name."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from grafting import write_recipe
from safetensors.torch import load_file, save_file

import pipelines as graft
from pipelines.cli import main
from pipelines.core.errors import RunError
from pipelines.report import lock as locks
from pipelines.report import repetition
from pipelines.report.run_folder import RunFolder
from pipelines.workflow.original import Original
from pipelines.workflow.replay import Replay, names_run

QUICK = {"training": {"max_steps": 2}, "simple_model": False}
STAGES = [{"task": {"name": "masked_lm", "block_size": 16}}, {"task": "text_classification"}]
KINDS = {
    "lora": {"strategy": "lora"},
    "frozen blocks": {"strategy": {"name": "top_layers", "layers": 1}},
    "probe": {"strategy": "linear_probe"},
    "auto": {"strategy": "auto", "training": {}},
    "soup": {"averaging": {"soup": {"seed": [1, 2]}}},
}


@pytest.fixture(scope="module")
def make(text_checkpoint, text_data, tmp_path_factory):
    """make(**sections): the folder of a finished run, whose data and checkpoint are its own."""

    def make(**sections):
        root = tmp_path_factory.mktemp("replay")
        data, model = root / "reviews", root / "bert"
        shutil.copytree(text_data, data)
        shutil.copytree(text_checkpoint, model)
        path = write_recipe(root, model, data, **{**QUICK, **sections})
        if "stages" in sections or isinstance(sections.get("model"), list):
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
            if "stages" in sections:
                del values["task"]
            path.write_text(yaml.safe_dump(values), encoding="utf-8")
        assert main(["run", str(path)]) == 0
        return RunFolder(root / "runs" / "recipe" / "1")

    return make


@pytest.fixture(scope="module")
def run(make):
    """A run that nothing changes."""
    return make(**KINDS["lora"])


@pytest.fixture
def copy(run, tmp_path):
    """The same run in a folder whose files a test may change."""
    root = run.path.parents[2]
    shutil.copytree(root, tmp_path / "root")
    folder = RunFolder(tmp_path / "root" / "runs" / "recipe" / "1")
    values = yaml.safe_load(folder.recipe.read_text(encoding="utf-8").replace(str(root), str(tmp_path / "root")))
    folder.recipe.write_text(yaml.safe_dump(values), encoding="utf-8")
    edit(folder.lock, lambda lock: lock["recipe"].update(sha256=locks.digest(values)))
    return folder


def edit(file, change):
    """Change what a JSON file holds, in place."""
    values = json.loads(file.read_text(encoding="utf-8"))
    change(values)
    file.write_text(json.dumps(values), encoding="utf-8")


def repeat(run, *overrides, name=""):
    """Repeat a run and return the new folder."""
    assert main(["run", str(run.path / name), *overrides]) == 0
    return RunFolder.newest_in(run.path.parent)


def same_bits(before, now):
    """Whether the saved tensors of two models are the same, by comparing the files."""
    names = [file.relative_to(before) for file in before.rglob("*.safetensors")]
    assert names
    return all((before / name).read_bytes() == (now / name).read_bytes() for name in names)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_repeated_bit_for_bit(make, kind, capsys):
    first = make(**KINDS[kind])
    capsys.readouterr()
    second = repeat(first)
    shown = capsys.readouterr().out
    assert second.path.name == "2"
    assert "replay: weights equal (" in shown
    assert "replay: scores equal (4 scores)" in shown
    assert "NOT" not in shown
    assert same_bits(first.model, second.model)
    lock, before = (json.loads(each.lock.read_text()) for each in (second, first))
    assert lock["repeats"]["run"] == "recipe/1"
    assert lock["repeats"]["date"] == before["date"]
    assert lock["repeats"]["differs"] == []
    assert lock.get("auto") == before.get("auto")
    assert json.loads(second.replay.read_text())["equal"]
