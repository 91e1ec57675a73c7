"""Weights that FSDP spreads over processes, on CPUs; and DeepSpeed, which is not installed."""

import json
import os
import re
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from grafting import write_recipe

from pipelines.cli import main
from pipelines.core import sharding
from pipelines.report.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
RESUME = "training.resume_from_checkpoint=true"


@pytest.fixture
def recipe(checkpoint, text_data, tmp_path):
    """One that trains all weights at one rate, as they are where they are spread."""
    return write_recipe(
        tmp_path,
        checkpoint("bert"),
        text_data,
        model={"checkpoint": str(checkpoint("bert")), "config": CALM},
        strategy={"name": "full", "head_lr_ratio": 1},
        training={"num_train_epochs": 2, "logging_steps": 1, "learning_rate": 1e-3},
        printed_lines=False,
        simple_model=False,
    )


def launch(python, recipe, *overrides, num_processes=2):
    """Start it as recipes/launch/fsdp2.yaml does."""
    config = str(ROOT / "recipes" / "launch" / "fsdp2.yaml")
    launcher = ["-m", "accelerate.commands.launch", "--quiet", "--config_file", config]
    launcher += ["--num_processes", str(num_processes)]
    return subprocess.Popen(
        [python.path, *launcher, "pipelines/run.py", str(recipe), *overrides],
        env={**os.environ, "PYTHON_EXEC": str(python.path)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def history(run):
    return [json.loads(line) for line in run.history.read_text(encoding="utf-8").splitlines()]


@pytest.mark.numerical
@pytest.mark.slow
@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is more than a CPU")
def test_spread_weights_train_stop_and_go_on_as_whole_ones_do(
    recipe, python_offline, tmp_path, capsys
):
    half = "training.per_device_train_batch_size=8"
    running = launch(python_offline, recipe, half)
    for line in running.stdout:
        if line.startswith("step 5/"):
            running.send_signal(signal.SIGTERM)
            break
    rest, err = running.communicate(timeout=120)
    assert "stopped by SIGTERM at step" in err, rest + err
    stopped = RunFolder.unfinished(tmp_path / "runs", "recipe")[0]
    assert sharding.saved_sharding(stopped.checkpoint) == "fsdp"
    # one process has whole weights, and could not read the optimizer's
    assert main(["run", str(recipe), half, "training.gradient_accumulation_steps=2", RESUME]) == 2
    refusal = f"error: {stopped.checkpoint}: was saved by a training with FSDP, which keeps its "
    assert refusal in capsys.readouterr().err

    running = launch(python_offline, recipe, half, RESUME, num_processes=4)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, out + err
    assert "a step has 16 rows as before: of each process 1 x 4" in out
    assert not err
    assert "packing off: weights that are spread" in out
    assert "reload parity: ok" in out
    assert main(["run", str(recipe), "name=whole"]) == 0
    whole = RunFolder(tmp_path / "runs" / "whole" / "1")
    for a, b in zip(history(stopped), history(whole), strict=True):
        for key in ("loss", "grad_norm", "eval_loss", "eval_accuracy"):
            assert a.get(key, 0) == pytest.approx(b.get(key, 0), rel=1e-3, abs=1e-5), (key, a, b)


@pytest.mark.slow
@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is more than a CPU")
def test_spread_gradients_that_are_not_finite_end_training(recipe, python_offline):
    """Found by all processes, whose shards differ."""
    # nothing else would see it first
    keys = "learning_rate=1e30 max_grad_norm=0 warmup_steps=0 eval_strategy=no num_train_epochs=4"
    running = launch(python_offline, recipe, *(f"training.{key}" for key in keys.split()))
    out, err = running.communicate(timeout=120)
    assert running.returncode == 1, out + err
    says = r"error: step \d: the gradients of 3 steps in a row are not finite: training diverged; "
    assert re.match(says, err), err


def test_a_checkpoint_tells_how_its_weights_were_spread(tmp_path):
    assert sharding.saved_sharding(tmp_path) is None
    (tmp_path / "optimizer.bin").touch()
    assert sharding.saved_sharding(tmp_path) == "fsdp"
    (tmp_path / "optimizer.bin").unlink()
    (tmp_path / "optimizer_0").mkdir()
    assert sharding.saved_sharding(tmp_path) == "fsdp"
    (tmp_path / "global_step5").mkdir()
    assert sharding.saved_sharding(tmp_path) == "deepspeed"


@pytest.mark.skipif(find_spec("deepspeed") is not None, reason="it is installed")
@pytest.mark.parametrize("asks", ["recipe", "accelerate"])
def test_deepspeed_is_refused_by_name_where_it_is_not_installed(recipe, asks, monkeypatch, capsys):
    overrides = []
    if asks == "recipe":
        overrides = ['training.deepspeed={"zero_optimization": {"stage": 2}}']
    else:
        monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    assert main(["run", str(recipe), *overrides]) == 2
    err = capsys.readouterr().err
    place = {"recipe": "training.deepspeed", "accelerate": "accelerate's configuration"}[asks]
    assert err.startswith(f"error: {place}: DeepSpeed is not installed: pip install deepspeed")
    assert "graft cp launch/fsdp2.yaml" in err
    assert err.count("\n") == 1
