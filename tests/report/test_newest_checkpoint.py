"""Which checkpoint a run goes on from, however it was killed."""

import json
import os

import pytest

from pipelines.report.run_folder import RunFolder
from pipelines.training import checkpoint_files

STATE, LIST = "trainer_state.json", checkpoint_files.NAME
FILES = ("model.safetensors", "optimizer.pt", "rng_state.pth")


@pytest.fixture
def run(tmp_path):
    """A run with three whole checkpoints: 6 is the best one, and was kept."""
    run = RunFolder(tmp_path)
    for step in (6, 10, 12):
        folder = run.checkpoints / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        for name in FILES:
            (folder / name).write_bytes(b"numbers")
        (folder / STATE).write_text(json.dumps({"global_step": step}))
        checkpoint_files.note(folder)
    return run


# what is left of the newest one -> the one that the run goes on from
LEFT = {
    (*FILES, STATE, LIST): 12,
    (*FILES, STATE): 10,  # not listed yet, or no longer
    (FILES[0], FILES[1], STATE, LIST): 10,
    (STATE, LIST): 10,
    (*FILES, LIST): 10,
    (STATE,): 10,
    (): 10,
}


@pytest.mark.parametrize("left", LEFT, ids=len)
def test_half_of_a_checkpoint_is_passed_over(run, left):
    newest = run.checkpoints / "checkpoint-12"
    for path in [*newest.iterdir()]:
        if path.name not in left:
            path.unlink()
    assert run.checkpoint.name == f"checkpoint-{LEFT[left]}"


def test_the_only_one_need_not_be_listed(run):
    """A run that is killed right after it has saved one has removed the one before."""
    (run.checkpoints / "checkpoint-12" / LIST).unlink()
    for step in (6, 10):
        (run.checkpoints / f"checkpoint-{step}" / FILES[0]).unlink()
    assert run.checkpoint.name == "checkpoint-12"


@pytest.mark.parametrize("name", [STATE, LIST])
def test_one_with_a_pipe_is_not_waited_for(run, name):
    file = run.checkpoints / "checkpoint-12" / name
    file.unlink()
    os.mkfifo(file)
    # a list that is a pipe is refused with its reason by whoever loads the checkpoint
    assert run.checkpoint.name == ("checkpoint-10" if name == STATE else "checkpoint-12")


def test_a_list_that_was_cut_short_lists_nothing(run):
    file = run.checkpoints / "checkpoint-12" / LIST
    file.write_text(file.read_text()[:-5])
    assert run.checkpoint.name == "checkpoint-10"
