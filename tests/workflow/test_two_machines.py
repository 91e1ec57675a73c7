"""Two machines make one run: launchers and folders of their own, and no disk that both see."""

import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import torch
from grafting import write_recipe
from safetensors.torch import load_file

from pipelines.cli import main
from pipelines.report.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
RESUME = "training.resume_from_checkpoint=true"
MAX_SECONDS = 60  # after which none may wait any more for one that is lost
TRAINING = {
    "num_train_epochs": 6,
    "logging_steps": 1,
    "learning_rate": 1e-3,
    "eval_strategy": "steps",
    "eval_steps": 4,
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "output_dir": "runs",
}


class Machine:
    """What one of two machines runs: a launcher in a folder of its own, and its process."""

    def __init__(self, python, folder, rank, port, recipe, *overrides):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        launcher = ["-m", "accelerate.commands.launch", "--quiet", "--multi_gpu"]
        launcher += ["--mixed_precision", "no", "--dynamo_backend", "no"]
        launcher += ["--num_machines", "2", "--num_processes", "2", "--machine_rank", str(rank)]
        launcher += ["--main_process_ip", "127.0.0.1", "--main_process_port", str(port)]
        # with its process, which the launcher starts: both are lost at once
        self.launched = subprocess.Popen(
            [python.path, *launcher, str(ROOT / "pipelines" / "run.py"), str(recipe), *overrides],
            env={
                **os.environ,
                "PYTHON_EXEC": str(python.path),
                "PYTHONPATH": str(ROOT),
                "GRAFT_CACHE": str(folder / "cache"),
                "TMPDIR": str(folder),
            },
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self):
        out, err = self.launched.communicate(timeout=120)
        return self.launched.returncode, out, err


def two(python, folder, recipe, *overrides, of_last=()):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return [
        Machine(python, folder / f"machine{rank}", rank, port, recipe, *overrides, *words)
        for rank, words in enumerate(((), of_last))
    ]


def kill(machine):
    """End all that runs in the folder of a machine, as a power cut does."""
    for process in psutil.process_iter(["cwd"]):
        if process.info["cwd"] == str(machine.folder):
            process.kill()
    machine.launched.kill()
    machine.launched.communicate()


def history(run):
    return [json.loads(line) for line in run.history.read_text(encoding="utf-8").splitlines()]


def feature_rows(machine):
    """(key of the cache, row) of all of which a machine has computed features."""
    files = (machine.folder / "cache" / "features").rglob("*.safetensors")
    return {(f.parent.name, row) for f in files for row in load_file(f)[".rows"].tolist()}


@pytest.mark.slow
@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is more than a CPU")
def test_a_machine_that_fails_alone_says_why_and_is_named_by_the_other(
    checkpoint, text_data, python_offline, tmp_path
):
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, training=TRAINING)
    main_one, other = two(python_offline, tmp_path, recipe, of_last=["data.path=/nowhere"])
    code, out, err = other.finish()
    assert code == 1, out + err
    assert err.startswith("error: data.path: /nowhere: no such file or folder"), err
    started = time.monotonic()
    code, out, err = main_one.finish()
    assert time.monotonic() - started < MAX_SECONDS
    assert code == 1, out + err
    assert re.match(r"error: machine 1 \(.*\) has failed, so that this one ends, too; ", err), err
    assert err.count("error: ") == 1


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is more than a CPU")
def test_one_of_two_machines_is_lost_and_both_go_on(
    checkpoint, text_data, python_offline, tmp_path, capsys
):
    model = {"checkpoint": str(checkpoint("bert")), "config": CALM}
    sections = {"model": model, "training": TRAINING, "strategy": "lp_ft"}
    sections |= {"printed_lines": False, "simple_model": False}
    recipe = write_recipe(tmp_path, checkpoint("bert"), text_data, **sections)

    # one is lost
    main_one, other = two(python_offline, tmp_path, recipe)
    for line in main_one.launched.stdout:
        if line.startswith("step 10/"):
            break
    kill(other)
    started = time.monotonic()
    code, out, err = main_one.finish()
    assert time.monotonic() - started < MAX_SECONDS
    assert code == 1, out + err
    # what follows is the launcher's
    lost = r"error: machine 1 \(.*\) is lost, so that this one ends, too; to go on from the last "
    assert re.match(lost, err), err
    assert err.count("error: ") == 1
    run = RunFolder(main_one.folder / "runs" / "recipe" / "1")
    assert run.checkpoint.name == "checkpoint-8"

    # both go on
    main_one, other = two(python_offline, tmp_path, recipe, RESUME)
    for machine in (other, main_one):
        code, out, err = machine.finish()
        assert code == 0, out + err
    assert "runs/recipe/1 goes on from checkpoint-8" in out
    assert "reload parity: ok" in out
    assert run.done
    # and only one of them writes
    assert not (other.folder / "runs").exists()
    assert not [*other.folder.glob("graft-*")]
    halves = [feature_rows(machine) for machine in (main_one, other)]
    assert all(halves)
    assert not halves[0] & halves[1]

    # what came of it is what comes of one process with steps of as many rows
    whole = ["training.per_device_train_batch_size=16", f"training.output_dir={tmp_path}/runs"]
    assert main(["run", str(recipe), *whole]) == 0
    one = RunFolder(tmp_path / "runs" / "recipe" / "1")
    for a, b in zip(history(run), history(one), strict=True):
        for key in ("loss", "grad_norm", "eval_loss", "eval_accuracy"):
            assert a.get(key, 0) == pytest.approx(b.get(key, 0), rel=1e-3, abs=1e-5), (key, a, b)
    a, b = (load_file(next(each.model.rglob("model.safetensors"))) for each in (run, one))
    for name, tensor in a.items():
        torch.testing.assert_close(tensor, b[name], rtol=1e-3, atol=1e-4)
