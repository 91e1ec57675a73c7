"""Stages from end to end: one folder, each stage from the model before, resumable."""

import json
import os
import re
import signal

import pytest
import tiny
import yaml
from recipe_text import multiplied_aliases

from pipelines import Run, recipe
from pipelines.cli import main
from pipelines.core.errors import RunError
from pipelines.report import stages_text
from pipelines.report.run_folder import RunFolder
from pipelines.tasks.masked_lm import MaskingCollator
from pipelines.workflow import staged

RESUME = "training.resume_from_checkpoint=true"
STAGES = [{"task": {"name": "masked_lm", "block_size": 16}}, {"task": "text_classification"}]


@pytest.fixture(scope="module")
def write(checkpoint, text_data, tmp_path_factory):
    """write(**training): a recipe of two stages, in a folder of its own."""

    def write(stages=STAGES, **training):
        folder = tmp_path_factory.mktemp("staged")
        training = {"max_steps": 1, "use_cpu": True, "bf16": False, **training}
        values = {
            "model": str(checkpoint("bert")),
            "data": {"source": "files", "path": str(text_data)},
            "strategy": "full",
            "training": {**training, "output_dir": str(folder)},
            "simple_model": False,
            "stages": stages,
        }
        path = folder / "tapt.yaml"
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def stopped_and_resumed(write):
    """The folder of a run that was stopped between its stages, and the recipe."""
    path, run_in = write(), staged.run_in

    def stop_after_the_first(folder, *arguments, **options):
        if folder.whole == folder:
            raise KeyboardInterrupt
        return run_in(folder, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staged, "run_in", stop_after_the_first)
        assert main(["run", str(path)]) == 130
    run = RunFolder(path.parent / "tapt" / "1")
    before = run.stage(0, "masked_lm")
    assert before.done
    assert not run.done
    written = before.metrics.stat().st_mtime_ns
    assert main(["run", str(path), RESUME, "stages.0.training.max_steps=2"]) == 0
    assert before.metrics.stat().st_mtime_ns == written  # not run again
    return run, path


def test_the_folder_is_that_of_the_last_stage_and_holds_those_before(stopped_and_resumed):
    run, _ = stopped_and_resumed
    before = run.stage(0, "masked_lm")
    assert run.stages_before == [before]
    assert json.loads(before.metrics.read_text())["task"] == "masked_lm"
    assert (before.model / "config.json").is_file()
    assert Run.open(run.path).metrics["task"] == "text_classification"
    assert Run.open(run.path).recipe.model.checkpoint == before.model.as_posix()
    assert json.loads(before.metrics.read_text())["test"] is None  # the last stage's to look at
    # as they were run: the edit of a finished one is noted, and changes nothing
    stages = recipe.staged.load(run.staged_recipe).stages
    assert [stage.training["max_steps"] for stage in stages] == [
        1,
        1,
    ]
    assert "resume_from_checkpoint" not in run.staged_recipe.read_text(encoding="utf-8")
    assert "resume_from_checkpoint" not in run.recipe.read_text(encoding="utf-8")


def test_the_card_names_the_stages_the_first_checkpoint_and_the_whole_recipe(stopped_and_resumed):
    run, _ = stopped_and_resumed
    card = run.card.read_text(encoding="utf-8")
    assert re.search(
        r"Before that it was trained for \*\*masked_lm\*\* with \*\*full\*\* on \d+ examples "
        r"\(perplexity on validation \d",
        card,
    )
    assert "\nbert, fine-tuned by" in card
    assert "- task:\n    name: masked_lm\n" in card
    assert str(run.path.parent) not in card


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("stages: []", ": damaged: not what a run writes; "),
        ("stages: [", r":1: not YAML: .*; the file is damaged, "),
        (multiplied_aliases(), ":1: more than 100,000 keys and items, aliases included; "),
    ],
    ids=["no stages", "no YAML", "aliases"],
)
def test_a_damaged_recipe_of_all_stages_is_named(stopped_and_resumed, content, reason):
    run, _ = stopped_and_resumed
    text = run.staged_recipe.read_text(encoding="utf-8")
    run.staged_recipe.write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=rf"stages\.yaml{reason}"):
        stages_text.whole_recipe(run, {})
    run.staged_recipe.write_text(text, encoding="utf-8")


def test_a_finished_run_is_not_resumed(stopped_and_resumed, capsys):
    run, path = stopped_and_resumed
    for key in (RESUME, f"training.resume_from_checkpoint={run.path}"):
        assert main(["run", str(path), key]) == 2
        assert "nothing to resume" in capsys.readouterr().err


def test_other_stages_are_not_resumed_and_a_single_recipe_neither(write, capsys):
    path = write()
    run = RunFolder.create(path.parent, "tapt")
    staged._write(run, recipe.staged.load(path))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("masked_lm", "causal_lm"), encoding="utf-8")
    assert main(["run", str(path), f"training.resume_from_checkpoint={run.path}/model"]) == 2
    assert "its stages are masked_lm, text_classification, and" in capsys.readouterr().err
    single = {**yaml.safe_load(text), "task": "text_classification"}
    del single["stages"]
    path.write_text(yaml.safe_dump(single), encoding="utf-8")
    assert main(["run", str(path), RESUME]) == 2
    assert "resume it with that recipe" in capsys.readouterr().err
    path.write_text(text, encoding="utf-8")
    assert main(["run", str(path), "training.resume_from_checkpoint=elsewhere"]) == 2
    assert "elsewhere: not in the folder of a run with stages" in capsys.readouterr().err


def test_a_check_looks_at_every_stage_and_what_only_a_later_one_cannot_do_is_refused(write, capsys):
    path = write()
    assert main(["check", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "stage 1 of 2 (stages.0): masked_lm" in shown
    assert "starts     from the model of the stage before" in shown
    assert main(["run", str(path), "stages.1.data.columns.label=missing"]) == 2
    assert capsys.readouterr().err.startswith("error: stages.1: ")
    assert not (path.parent / "tapt").exists()  # refused before the first stage


@pytest.mark.slow
def test_a_stage_that_was_stopped_goes_on_from_its_checkpoint(write, monkeypatch, capsys):
    path, collate, calls = write(max_steps=6, logging_steps=1), MaskingCollator.__call__, []

    def stop_at_the_third(self, rows):
        calls.append(rows)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return collate(self, rows)

    monkeypatch.setattr(MaskingCollator, "__call__", stop_at_the_third)
    assert main(["run", str(path)]) == 130
    assert "resume_from_checkpoint=true" in capsys.readouterr().err
    run = RunFolder(path.parent / "tapt" / "1")
    before = run.stage(0, "masked_lm")
    num_steps = int(before.checkpoint.name.split("-")[1])
    assert 0 < num_steps < 6
    assert main(["run", str(path), RESUME]) == 0
    assert run.done
    lines = before.history.read_text(encoding="utf-8").splitlines()
    steps = [entry["step"] for entry in map(json.loads, lines) if "loss" in entry]
    assert steps == [*range(1, 7)]
    # the tiny model has the weights of its own stage before
    assert json.loads(run.lock.read_text())["model"]["checkpoint"] == "model"
    assert tiny.NUM_ROWS["test"] == json.loads(run.metrics.read_text())["examples"]["test"]
