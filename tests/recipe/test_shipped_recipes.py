"""Every recipe that comes with the project, unmodified, from end to end.

Tiny stand-ins lie on a Hub on loopback under the names that the recipes say. One interpreter, in
which warnings are errors and no other Hub exists, runs one recipe after the other.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import HubServer
from stand_ins import CHECKPOINTS, serve
from warm_python import WarmPython

from pipelines import recipe as recipes
from pipelines.core import recipe_files
from pipelines.report.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
RECIPES = sorted(recipe_files.shipped().values())
# a line of JSON with arguments comes in, a line of JSON with the exit code and what was said goes
# out
RUNNER = """
import contextlib, gc, io, json, sys
sys.path.append("tests/support")
import tiny_timm
from pipelines.cli import main
tiny_timm.register()
for line in sys.stdin:
    gc.collect()
    gc.freeze()  # the Trainer collects garbage, and what was imported is none
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        code = main(json.loads(line))
    print(json.dumps([code, out.getvalue(), error.getvalue()]), flush=True)
"""
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(scope="module")
def graft(
    hub: HubServer, python: WarmPython, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Command]:
    """graft("run", …) -> (exit code, output, errors), of an interpreter that knows `hub`."""
    home = {"HF_HOME": str(tmp_path_factory.mktemp("home"))}
    runner = subprocess.Popen(
        [python.path, "-W", "error", "-c", RUNNER],
        env={**os.environ, **hub.environment, **home},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert runner.stdin
    assert runner.stdout

    def graft(*arguments: str) -> tuple[int, str, str]:
        runner.stdin.write(json.dumps(arguments) + "\n")
        runner.stdin.flush()
        return tuple(json.loads(runner.stdout.readline()))

    with runner:
        yield graft
        runner.stdin.close()


def test_there_are_recipes() -> None:
    assert len(RECIPES) >= 24


def test_every_family_of_the_mission_has_a_recipe() -> None:
    used = {recipes.load(path).model.checkpoint for path in RECIPES}
    assert set(CHECKPOINTS) <= used


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs_from_end_to_end(path, hub, graft, checkpoint, tmp_path) -> None:
    loaded = recipes.load(path)
    short = ["training.max_steps=2", "training.dataloader_num_workers=0"]
    short += ["training.per_device_train_batch_size=8"]
    short += ["printed_lines=false"]  # test_printed_lines tries those of each modality
    short += ["data.num_per_class=4"] if loaded.data.source == "letters" else []
    short += ["task.stride=4"] if hasattr(loaded.task, "stride") else []  # 32 tokens are the limit
    commits = serve(loaded, hub, checkpoint, tmp_path / "data")
    code, out, error = graft("run", str(path), *short, f"training.output_dir={tmp_path}")
    assert (code, error) == (0, ""), out

    run = RunFolder(tmp_path / path.stem / "1")
    values = json.loads(run.metrics.read_text(encoding="utf-8"))
    assert values["parity"]["ok"]
    assert values["main_metric"] in values["validation"]
    lock = json.loads(run.lock.read_text(encoding="utf-8"))
    assert {section: lock[section]["commit"] for section in commits} == commits
