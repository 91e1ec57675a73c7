"""graft lr-find: the rates that it tries, what it reads off, and what it leaves behind."""

import csv
import io
import os
import re
import signal
import subprocess
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
from grafting import write_recipe

from pipelines.cli import main
from pipelines.tuning import suggestions
from pipelines.tuning.range_test import RangeTest
from pipelines.tuning.sweep import Sweep

PICTURES = True
ROOT = Path(__file__).parents[2]
LOW, HIGH, STEPS = 1e-6, 1e6, 60


@pytest.fixture(scope="module")
def tested(text_checkpoint, text_data, tmp_path_factory):
    """(folder, printed lines) of a test whose last rates are far too high."""
    folder = tmp_path_factory.mktemp("tested")
    path = write_recipe(folder, text_checkpoint, text_data)
    sweep = ["--low", f"{LOW:g}", "--high", f"{HIGH:g}", "--steps", f"{STEPS}"]
    with redirect_stdout(io.StringIO()) as out:
        assert main(["lr-find", str(path), *sweep, "strategy=full"]) == 0
    return folder, out.getvalue().splitlines()


@pytest.fixture(scope="module")
def table(tested):
    with (tested[0] / "runs" / "recipe" / "lr_find_full.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@pytest.mark.slow
def test_rates_rise_by_the_same_factor_until_the_loss_diverges(tested, table):
    steps = np.arange(len(table["rate"]))
    assert table["rate"] == pytest.approx(LOW * (HIGH / LOW) ** (steps / (STEPS - 1)))
    *before, last = table["smoothed"]
    assert not last <= 4 * min(before)  # nan counts, too
    assert all(now <= 4 * min(before[: i + 1]) for i, now in enumerate(before))
    assert len(steps) < STEPS
    assert any(line.startswith(f"stopped after {len(steps)} steps") for line in tested[1])


@pytest.mark.slow
def test_losses_are_averaged_without_their_beginning_at_zero(table):
    ages = np.arange(len(table["loss"]))[::-1]
    for step in (1, 5, len(ages) - 1):
        weights = 0.98 ** ages[-step:]
        known = np.average(table["loss"][:step], weights=weights)
        assert table["smoothed"][step - 1] == pytest.approx(known)


def test_it_leaves_a_picture_and_a_suggestion_but_no_run(tested, table):
    folder, printed = tested
    left = {path.name for path in (folder / "runs").rglob("*")}
    assert left == {"recipe", "lr_find_full.csv", "lr_find_full.png"}
    assert (folder / "runs/recipe/lr_find_full.png").read_bytes().startswith(b"\x89PNG")
    suggested = float(next(line for line in printed if line.startswith("valley")).split()[1])
    assert np.isclose(table["rate"], suggested, rtol=0.05).any()
    assert printed[-1] == (
        f"graft run {folder / 'recipe.yaml'} strategy=full training.learning_rate={suggested:.1e}"
    )


def test_what_is_read_off_a_curve_that_falls_between_two_rates():
    rates = np.geomspace(1e-6, 1, 100)
    falls = np.clip(np.log10(rates), -4, -2)  # 34 steps, from 1e-4 to 1e-2
    rises = np.maximum(np.log10(rates) + 1.5, 0) * 3
    valley = suggestions.valley(rates, rises - falls)
    assert valley == pytest.approx(1e-4 * 100 ** (1 / 2), rel=0.2)  # a third, and half of one
    assert 1e-4 <= suggestions.steep(rates, rises - falls) <= 1e-2
    assert suggestions.valley(rates, rises + np.log10(rates)) is None


def test_groups_keep_their_multiples_of_the_base_rate():
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": lr} for lr in (1.0, 0.1)]
    optimizer = torch.optim.SGD(groups)
    torch.optim.lr_scheduler.ConstantLR(optimizer, 1)
    test = RangeTest(Sweep(1e-4, 1, 20).rate, print)
    for step in (0, 19):
        args, state = type("", (), {"learning_rate": 1.0}), type("", (), {"global_step": step})
        test.on_step_begin(args, state, None, optimizer=optimizer)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([1e-4, 1e-5] if step == 0 else [1, 0.1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["strategy=linear_probe"], "strategy 'linear_probe': its head is solved"),
        (["--low", "1"], "--low 1 --high 1: expected rates with 0 < low < high"),
        (["--low", "-1"], "--low -1 --high 1: expected rates with 0 < low < high"),
        (["--high", "nan"], "--low 1e-07 --high nan: expected rates"),
        (["--steps", "3"], "--steps 3: expected at least 20"),
        (["strategy=ful"], "unknown strategy 'ful'; did you mean 'full'?"),
    ],
)
def test_what_cannot_be_tested_is_refused(arguments, message, tmp_path, capsys):
    path = write_recipe(tmp_path, tmp_path / "nowhere", tmp_path)
    assert main(["lr-find", str(path), *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_an_interrupted_test_leaves_nothing(text_checkpoint, text_data, python_offline, tmp_path):
    path = write_recipe(tmp_path, text_checkpoint, text_data)
    sweep = ["--low", "1e-9", "--high", "1e-6", "--steps", "100000"]
    with subprocess.Popen(
        [python_offline.path, "-u", "-m", "pipelines.cli", "lr-find", str(path), *sweep],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        next(line for line in running.stdout if line.startswith("    1  "))
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=120)
    assert running.returncode == 130, error
    assert re.fullmatch(r"stopped by SIGINT at step \d+\n", error)
    assert not (tmp_path / "runs").exists()
    assert not [*tmp_path.rglob("*checkpoint*")]
