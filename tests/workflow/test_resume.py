"""What goes on when a run is resumed: which run, with which recipe, and what is refused."""

import errno
import json
import os
import re
import shutil
import signal
from zipfile import ZipFile

import numpy as np
import pytest
import yaml
from grafting import write_recipe
from recipe_text import multiplied_aliases
from safetensors.numpy import save_file

from pipelines import recipe as recipes
from pipelines.cli import main
from pipelines.core import cache_folder, stopping
from pipelines.core.errors import Interrupted, RunError
from pipelines.recipe import staged
from pipelines.report import requested
from pipelines.report.run_folder import RunFolder
from pipelines.training import checkpoint_files
from pipelines.workflow.continuation import refuse_other_contents
from pipelines.workflow.resume import Resumed, without_request
from pipelines.workflow.resumed_stages import ResumedStages
from pipelines.workflow.stopped import advising, explaining_full_disk

ACCUMULATION = "gradient_accumulation_steps"
RESUME = "training.resume_from_checkpoint=true"
TRAINING = {"num_train_epochs": 3, "learning_rate": 1e-3, "warmup_steps": 0, "seed": 1}
# key of a recipe -> what was said of it, all of which once passed in silence
EDITS = {
    "training.learning_rate=0.1": "training.learning_rate: 0.001 -> 0.1",
    "training.seed=2": "training.seed: 1 -> 2",
    "training.per_device_train_batch_size=4": "training.per_device_train_batch_size: 16 -> 4",
    "training.gradient_accumulation_steps=2": "gradient_accumulation_steps: left out -> 2",
    "training.lr_scheduler_type=cosine": 'training.lr_scheduler_type: left out -> "cosine"',
    "training.warmup_steps=5": "training.warmup_steps: 0 -> 5",
    "training.weight_decay=0.3": "training.weight_decay: left out -> 0.3",
    "training.optim=sgd": 'training.optim: left out -> "sgd"',
    "training.bf16=true": "training.bf16: false -> true",
    "training.max_grad_norm=9": "training.max_grad_norm: left out -> 9",
    "training.label_smoothing_factor=0.1": "training.label_smoothing_factor: left out -> 0.1",
    "training.eval_strategy=steps": 'training.eval_strategy: left out -> "steps"',
    "training.metric_for_best_model=loss": 'metric_for_best_model: left out -> "loss"',
    "training.num_train_epochs=2": "training.num_train_epochs: 3 -> 2 (it can only be raised)",
    "training.max_steps=100": "max_steps: left out -> 100 (the length of this run is training.num",
    "model.revision=v2": 'model.revision: "main" -> "v2"',
    "model.config.hidden_dropout_prob=0.5": "model.config.hidden_dropout_prob: left out -> 0.5",
    "data.source=hub": 'data.source: "files" -> "hub"',
    "data.limit.train=10": "data.limit.train: null -> 10",
    "data.splits.test=other": "data.splits.test: left out -> ",
    "data.folds=3": "data.folds: ",
    "strategy=lora": 'strategy.name: "full" -> "lora"',
    "task.class_weights=balanced": 'task.class_weights: null -> "balanced"',
    "task.max_length=9": "task.max_length: null -> 9",
    "metrics=[f1]": 'metrics: [] -> ["f1"]',
    "regularization.r_drop=1": "regularization.r_drop: ",
    "averaging.ema=0.9": "averaging.ema: null -> 0.9",
    "speed.packing=off": 'speed.packing: "auto" -> "off"',
}
FREE = [
    "training.num_train_epochs=4",
    "training.logging_steps=7",
    "training.report_to=none",
    "training.save_total_limit=2",
    "early_stopping.patience=9",
    "early_stopping=null",
    "calibration=null",
    "simple_model=false",
    "hub.repo_id=me/it",
    # whose contents are compared with the lock
    "model.checkpoint=elsewhere/bert",
    "data.path=elsewhere",
]


@pytest.fixture
def path(tmp_path):
    """A recipe, of which nothing is loaded here."""
    return write_recipe(tmp_path, tmp_path / "bert", tmp_path / "data", training=TRAINING)


@pytest.fixture
def begin(path):
    """begin(override, …): a run of the recipe that has a checkpoint."""

    def begin(*overrides):
        recipe = recipes.load(path, overrides)
        run = RunFolder.create(path.parent / "runs", "recipe")
        requested.write(run, recipe)
        resolved = recipe.model_dump(mode="json")
        resolved["training"] = {"weight_decay": 0.01, **resolved["training"]}
        run.recipe.write_text(yaml.safe_dump(resolved), encoding="utf-8")
        run.lock.write_text(json.dumps({"model": {"commit": "c0ffee"}}), encoding="utf-8")
        add_checkpoint(run)
        return run

    return begin


def add_checkpoint(run, step=4):
    folder = run.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text('{"max_steps": 12}', encoding="utf-8")
    checkpoint_files.note(folder)


def resume(path, *overrides):
    return Resumed.of(recipes.load(path, [RESUME, *overrides]))


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_trained_cannot_become_something_else(begin, path, edit):
    run = begin()
    with pytest.raises(RunError) as refused:
        resume(path, edit)
    first, line = str(refused.value).splitlines()
    assert first.startswith(f"{run}: was begun with another recipe; ")
    assert "leave --resume (training.resume_from_checkpoint) out" in first
    assert EDITS[edit] in line


@pytest.mark.parametrize("change", FREE)
def test_what_may_change_is_listed(begin, path, change, capsys):
    run = begin()
    resumed = resume(path, change)
    assert resumed.folder == run
    key, _, value = change.partition("=")
    assert [each.key.startswith(key) for each in resumed.changes] == [True]
    resumed.announce()
    out = capsys.readouterr().out
    assert f"resume: {run} goes on from checkpoint-4\nresume: {key}" in out
    assert value in out


def test_the_command_line_names_each_key_with_both_values(begin, path, capsys):
    begin()
    edits = ["training.learning_rate=0.1", "strategy=lora", "--resume"]
    assert main(["run", str(path), *edits]) == 2
    lines = capsys.readouterr().err.splitlines()[1:]
    assert lines == ['  strategy.name: "full" -> "lora"', "  training.learning_rate: 0.001 -> 0.1"]


def test_by_its_path_a_run_goes_on_under_another_name_and_output(begin, path, tmp_path):
    run = begin()
    place = f"training.resume_from_checkpoint={run}"
    resumed = resume(path, place, f"training.output_dir={tmp_path}/other", "name=renamed")
    assert resumed.folder == run
    assert {change.key for change in resumed.changes} == {"name", "training.output_dir"}


def test_what_the_run_had_anyway_can_be_spelled_out(begin, path):
    begin()
    spelled = ["training.weight_decay=0.01", "model.revision=c0ffee"]
    assert len(resume(path, *spelled).changes) == 2


def test_the_newest_run_of_this_recipe_goes_on(begin, path, capsys):
    older, newer = begin(), begin("training.learning_rate=0.5")
    assert resume(path).folder == older
    note = f"note: {newer} is unfinished, too, and was begun with another recipe\n"
    assert capsys.readouterr().out == note
    assert resume(path, "training.learning_rate=0.5").folder == newer


def test_files_may_lie_elsewhere_and_a_run_that_read_them_here_goes_first(begin, path, tmp_path):
    merged = "averaging.merge.checkpoints=[{0}/a, {0}/b]"
    here, moved = merged.format("/here"), merged.format("/moved")
    older, newer = begin(here), begin(moved)
    assert resume(path, moved).folder == newer
    assert resume(path, here).folder == older
    newer.metrics.write_text("{}", encoding="utf-8")
    resumed = resume(path, moved)
    assert (resumed.folder, len(resumed.changes)) == (older, 1)
    with pytest.raises(RunError, match=r"averaging\.merge\.checkpoints: "):
        resume(path, "averaging.merge.checkpoints=[/here/a, /moved/other]")
    older.lock.unlink()  # there is nothing to compare with
    with pytest.raises(RunError, match=r"averaging\.merge\.checkpoints: "):
        resume(path, moved)


def test_the_recipe_that_a_run_recorded_goes_on_with_it(begin, path):
    run = begin()
    again = recipes.load(run.recipe, [RESUME, "name=recipe"])
    assert Resumed.of(again).folder == run
    with pytest.raises(RunError, match="learning_rate"):
        resume(run.recipe, "name=recipe", "training.learning_rate=0.5")


def test_of_an_older_version_what_the_recipe_names_is_compared(begin, path):
    run = begin()
    run.requested.unlink()
    assert resume(path).changes == ()
    assert resume(path, "strategy=auto").changes == ()  # the run has chosen
    with pytest.raises(RunError, match=r"training\.learning_rate: 0\.001 -> 0\.5"):
        resume(path, "training.learning_rate=0.5")
    run.recipe.unlink()
    assert resume(path).changes == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("name: x\ntask: [", r":2: not YAML: .*"),
        ("", ": missing key 'task'; .*"),
        ("task: nonsense", ":1: unknown task 'nonsense'; .*"),
        (multiplied_aliases(), ":1: more than 100,000 keys and items, aliases included"),
    ],
    ids=["no YAML", "empty", "no task", "aliases"],
)
def test_a_damaged_recipe_of_a_run_is_named(begin, path, content, reason):
    run = begin()
    run.requested.write_text(content, encoding="utf-8")
    remedy = "; the file is damaged, or of another version: begin a new run: leave"
    with pytest.raises(RunError, match=rf"requested\.yaml{reason}{remedy}"):
        resume(path)
    run.requested.unlink()
    run.requested.mkdir()
    with pytest.raises(RunError, match=r"cannot be read"):
        requested.read(run.requested)


def test_stages_and_soups_have_the_length_that_they_have(begin, path):
    longer = "training.num_train_epochs=9"
    begin("strategy=gradual_unfreezing")
    with pytest.raises(RunError, match="the stages of gradual_unfreezing follow from the length"):
        resume(path, "strategy=gradual_unfreezing", longer)
    soup = "averaging.soup.seed=[1,2]"
    begin(soup)
    with pytest.raises(RunError, match="the ingredients of a soup are of one length"):
        resume(path, soup, longer)


def test_a_length_in_steps_is_raised_in_steps(begin, path):
    run = begin("training.max_steps=12")
    resumed = resume(path, "training.max_steps=24")
    assert resumed.apply(recipes.load(path, ["training.max_steps=24"])).training["max_steps"] == 24
    with pytest.raises(RunError, match="it can only be raised"):
        resume(path, "training.max_steps=11")
    with pytest.raises(RunError, match=r"the length of this run is training\.max_steps: raise"):
        resume(path, "training.max_steps=12", "training.num_train_epochs=9")
    assert resumed.folder == run


def test_what_was_resolved_with_an_open_length_stays(begin, path):
    """Another part of a run evaluates when the first one did, and stops by its rules."""
    run = begin()
    values = yaml.safe_load(run.recipe.read_text(encoding="utf-8"))
    values["training"] |= {"num_train_epochs": 12, "eval_strategy": "steps", "eval_steps": 15}
    values["early_stopping"] = None
    run.recipe.write_text(yaml.safe_dump(values), encoding="utf-8")
    recipe = recipes.load(path, ["training.num_train_epochs=20"])
    applied = Resumed(run, True).apply(recipe)
    assert applied.training["num_train_epochs"] == 20
    assert applied.training["eval_steps"] == 15
    assert applied.early_stopping is None
    assert "load_best_model_at_end" not in applied.training
    changed = resume(path, "early_stopping.patience=7").apply(recipe)
    assert changed.early_stopping.patience == 3  # of the recipe that is applied to


@pytest.mark.parametrize("named", [None, True])
def test_where_the_end_counts_it_does_after_a_stop(begin, path, named):
    """As for an adaptation, by which the best step on the source comes too early."""
    run = begin()
    values = yaml.safe_load(run.recipe.read_text(encoding="utf-8"))
    values["training"]["load_best_model_at_end"] = False
    run.recipe.write_text(yaml.safe_dump(values), encoding="utf-8")
    wanted = [f"training.load_best_model_at_end={named}".lower()] if named else []
    applied = Resumed(run, True).apply(recipes.load(path, wanted))
    assert applied.training["load_best_model_at_end"] is bool(named)


def test_a_run_that_has_finished_meanwhile_is_not_resumed(begin, path):
    run = begin()
    resumed = resume(path)
    run.metrics.write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match="the run is done; to train on from its model, run a recipe"):
        resumed.announce()


def test_a_recorded_recipe_is_not_one_to_resume(path):
    recipe = recipes.load(path, [RESUME])
    assert "resume_from_checkpoint" not in without_request(recipe).training
    assert without_request(without_request(recipe)) == without_request(recipe)


DAMAGES = {
    "optimizer.pt is missing": lambda folder: (folder / "optimizer.pt").unlink(),
    "part/weights.distcp is missing": lambda folder: shutil.rmtree(folder / "part"),
    "part/weights.distcp is not what was saved": lambda folder: (
        folder / "part" / "weights.distcp"
    ).write_bytes(b"other numbers"),
    "trainer_state.json is not what was saved": lambda folder: (
        folder / "trainer_state.json"
    ).write_text('{"max_steps": 99}'),
    "optimizer.pt is not what was saved": lambda folder: shutil.copy(
        folder / "other.pt", folder / "optimizer.pt"
    ),
    "data in it has another checksum": lambda folder: (folder / "optimizer.pt").write_bytes(
        (folder / "optimizer.pt").read_bytes().replace(b"moments", b"momentS")
    ),
    "scheduler.pt: is a pipe": lambda folder: os.mkfifo(folder / "scheduler.pt"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_that_is_not_what_was_saved_is_refused(begin, path, damage):
    folder = begin().checkpoint
    (folder / "part").mkdir()
    (folder / "part" / "weights.distcp").write_bytes(b"equal numbers")
    for name, content in {"optimizer.pt": b"moments", "other.pt": b"Moments"}.items():
        with ZipFile(folder / name, "w") as archive:  # as torch saves it
            archive.writestr("data", content)
    checkpoint_files.note(folder)
    resume(path).announce()
    DAMAGES[damage](folder)
    with pytest.raises(RunError) as refused:
        resume(path).announce()
    assert re.fullmatch(f"{folder}.*{damage}; resume from an older one .*", str(refused.value))


PARTS = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth")


@pytest.mark.parametrize("lost", [None, *PARTS])
def test_a_checkpoint_without_a_list_of_its_files_needs_all_parts(begin, path, lost, capsys):
    """A run is killed right before it is written; half of one is left of a removal."""
    folder = begin().checkpoint
    (folder / checkpoint_files.NAME).unlink()
    save_file({"weight": np.zeros(1, np.float32)}, folder / PARTS[0])
    for name in PARTS[1:]:
        with ZipFile(folder / name, "w") as archive:
            archive.writestr("data", b"")
    if lost is None:
        resume(path).announce()
        assert f"note: {folder.name} has no files.json: " in capsys.readouterr().out
        return
    (folder / lost).unlink()
    with pytest.raises(RunError, match=rf"{folder}: damaged: .* missing; resume from an older"):
        resume(path).announce()


@pytest.mark.parametrize("state", [{"bytes": 17}, {"bytes": 17, "crc32": 7}])
def test_what_an_older_version_noted_is_compared_by_size(begin, path, state):
    folder = begin().checkpoint
    (folder / checkpoint_files.NAME).write_text(json.dumps({"trainer_state.json": state}))
    resume(path).announce()
    (folder / "trainer_state.json").write_text('{"max_steps": 120}')
    with pytest.raises(RunError, match="is not what was saved"):
        resume(path).announce()


def test_a_lock_that_is_no_file_or_names_no_process_is_no_traceback(begin, path):
    run = begin()
    with_processes(run, 0)
    assert resume(path).apply(recipes.load(path)).training["num_train_epochs"] == 3
    run.lock.unlink()
    os.mkfifo(run.lock)
    with pytest.raises(RunError, match=r"lock\.json: is a pipe; start the run anew"):
        _ = resume(path).lock


def test_folders_of_the_user_are_no_checkpoints_and_no_stages(begin, path):
    run = begin()
    shutil.copytree(run.checkpoint, run.checkpoints / "checkpoint-4.copy")
    shutil.copytree(run.checkpoint, run.checkpoints / "checkpoint-best")
    for name in ("3d-pictures", "2025-06-notes"):
        (run.path / name).mkdir()
    resumed = resume(path)
    assert resumed.checkpoint.name == "checkpoint-4"
    assert run.stages_before == []


def test_other_files_or_commits_are_refused(tmp_path, capsys):
    before = {"data": {"path": "x", "sha256": "1"}, "model": {"commit": "a", "revision": "main"}}
    run = RunFolder(tmp_path)
    refuse_other_contents(run, before, {**before, "model": {"commit": "a", "revision": "a"}})
    refuse_other_contents(run, {}, before)
    assert capsys.readouterr().out == ""
    refuse_other_contents(run, before, {**before, "num_processes": 2})
    now = {**before, "data": {"path": "x", "sha256": "2"}}
    with pytest.raises(RunError, match=r'have changed(.|\n)*lock\.data\.sha256: "1" -> "2"'):
        refuse_other_contents(run, before, now)


# Of a run that began with 4 processes: (batch, its accumulation, processes now) -> what they are
# then, and what is printed of it
STEPS = {
    (16, None, 4): (16, 1, ""),
    (16, None, 1): (
        16,
        4,
        "4 -> 1 processes: a step has 64 rows as before: of each process 4 x 16",
    ),
    (16, 2, 1): (16, 8, "has 128 rows as before: of each process 8 x 16"),
    (6, None, 3): (4, 2, "has 24 rows as before: of each process 2 x 4"),
    (16, None, 8): (8, 1, "has 64 rows as before: of each process 1 x 8"),
    (8, None, 3): (
        8,
        1,
        "had 32 rows, which 3 processes cannot divide into equal parts; it has 24",
    ),
}


def with_processes(run, number):
    """Note in a lock how many trained."""
    run.lock.write_text(json.dumps({"num_processes": number}), encoding="utf-8")


@pytest.mark.parametrize("case", STEPS, ids=str)
def test_other_processes_divide_the_rows_of_a_step(begin, path, case, monkeypatch, capsys):
    batch, accumulation, number = case
    given = [f"training.per_device_train_batch_size={batch}", "training.ddp_backend=gloo"]
    given += [f"training.gradient_accumulation_steps={accumulation}"] if accumulation else []
    with_processes(begin(*given), 4)
    monkeypatch.setenv("WORLD_SIZE", str(number))
    # how processes connect may change with their number
    overrides = [*given[:1], *given[2:]]
    training = resume(path, *overrides).apply(recipes.load(path, overrides)).training
    *expected, printed = STEPS[case]
    step = [training[f"{key}"] for key in ("per_device_train_batch_size", ACCUMULATION)]
    assert step == expected
    assert printed in capsys.readouterr().out


@pytest.mark.parametrize("batch", [16, 32])
def test_a_recipe_may_divide_a_step_itself(begin, path, monkeypatch, capsys, batch):
    with_processes(begin(), 4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    edits = [f"training.per_device_train_batch_size={batch}"] * (batch != 16)
    edits.append(f"training.{ACCUMULATION}={32 // batch}")
    resumed = resume(path, *edits)
    resumed.announce()
    assert f"resume: training.{ACCUMULATION}: left out -> {32 // batch}" in capsys.readouterr().out
    training = resumed.apply(recipes.load(path, edits)).training
    assert training["per_device_train_batch_size"] == batch
    assert training[ACCUMULATION] == 32 // batch
    reason = "(a step had 64 rows, of all processes, and would have 96)"
    with pytest.raises(RunError, match=re.escape(reason)):
        resume(path, f"training.{ACCUMULATION}=3")
    recipe = yaml.safe_load(path.read_text())
    del recipe["training"]["per_device_train_batch_size"]
    path.write_text(yaml.safe_dump(recipe))
    with pytest.raises(RunError, match=r"16 -> left out \(name the value\)"):
        resume(path)


def test_a_long_value_is_cut_and_stays_on_its_line(begin, path):
    begin()
    with pytest.raises(RunError) as refused:
        resume(path, f"model.config.name={'a' * 300}")
    line = str(refused.value).splitlines()[1]
    assert line.endswith("a…")
    assert len(line) < 200


# With stages


@pytest.fixture
def in_stages(path):
    """A recipe of two stages, and a run of it whose first stage has a checkpoint."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    del values["task"]
    values["stages"] = [{"task": "masked_lm"}, {"task": "text_classification"}]
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    run = RunFolder.create(path.parent / "runs", "recipe")
    values["name"] = "recipe"
    run.staged_recipe.write_text(yaml.safe_dump(values), encoding="utf-8")
    add_checkpoint(run.stage(0, "masked_lm"))
    return path, run


def test_a_stage_that_is_begun_cannot_change_and_a_later_one_can(in_stages):
    path, run = in_stages
    for edit, problem in (
        ("stages.0.training.seed=5", r"  stages\.0\.training\.seed: 1 -> 5$"),
        ("stages.0.training.num_train_epochs=1", r"3 -> 1 \(it can only be raised\)$"),
    ):
        with pytest.raises(RunError, match=problem):
            ResumedStages.of(staged.load(path, [edit]), True)
    later = staged.load(path, ["stages.1.training.seed=5", "stages.0.training.logging_steps=3"])
    resumed = ResumedStages.of(later, str(run))
    assert resumed.notes == ("stages.1 is not begun, and has stages.1.training.seed: 1 -> 5",)
    assert resumed.announced() == later
    run.metrics.write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match="nothing to resume: the run is done"):
        resumed.announced()
    with pytest.raises(RunError, match="nothing to resume: the run is done"):
        ResumedStages.of(later, str(run))


# Full disks and Ctrl-C


def test_a_full_disk_names_what_is_whole(begin, monkeypatch, tmp_path):
    run = begin()
    half = run.checkpoints / "checkpoint-8"
    half.mkdir()
    (half / "trainer_state.json").write_text('{"max_steps": 1', encoding="utf-8")
    full = OSError(errno.ENOSPC, "No space left on device")
    advice = r"1: cannot be written \(No space left on device\); checkpoint-4 is whole: make room, "
    with pytest.raises(RunError, match=advice), explaining_full_disk(run):
        raise full
    shutil.rmtree(run.checkpoints)
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    again = "make room, and run it again: finished passes are kept"
    with pytest.raises(RunError, match=again), explaining_full_disk(run):
        raise full
    with pytest.raises(OSError, match="no file"), explaining_full_disk(run):
        raise FileNotFoundError(errno.ENOENT, "no file")


def test_a_run_whose_files_somebody_removes_is_one_message(begin):
    run = begin()
    advice = r"1: cannot be used any more \(.*/gone: No such file.*\); checkpoint-4 is whole"
    with pytest.raises(RunError, match=advice), explaining_full_disk(run):
        (run.checkpoints / "gone").read_bytes()
    shutil.rmtree(run.path)
    again = r"\(.*/1: No such file.*\); put it back, or leave it alone, and run it again"
    with pytest.raises(RunError, match=again), explaining_full_disk(run):
        os.listdir(run.path)


def test_another_ctrl_c_does_not_take_the_place_of_the_advice(monkeypatch):
    def press_again():
        os.kill(os.getpid(), signal.SIGINT)
        return True

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(cache_folder, "is_writable", press_again)
    advice = "interrupted; to go on, run it again: finished passes are kept"
    with (
        stopping.handling(stopping.interrupt),
        pytest.raises(Interrupted, match=advice),
        advising(),
    ):
        raise KeyboardInterrupt
    assert signal.getsignal(signal.SIGINT) is before
