"""A process that a launcher started ends with it."""

import ctypes
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from warm_python import WarmPython

from pipelines.core import launcher

CHILD = """
import time
from pipelines.core.launcher import follow_launcher
follow_launcher()
print("started", flush=True)
time.sleep(60)
"""
LAUNCHER = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


@pytest.fixture
def calls(monkeypatch):
    """What was asked of the kernel, in a process that nobody launched."""
    calls = []

    class Library:
        def __init__(self, name):
            assert name is None

        def prctl(self, *arguments):
            calls.append(arguments)

    monkeypatch.setattr(ctypes, "CDLL", Library)
    monkeypatch.setattr(os, "kill", lambda *arguments: calls.append(arguments))
    for name in (*launcher.ACCELERATE, launcher.TORCHRUN):
        monkeypatch.delenv(name, raising=False)
    return calls


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux knows it")
@pytest.mark.parametrize("names", [launcher.ACCELERATE, {launcher.TORCHRUN}])
def test_what_a_launcher_started_is_terminated_with_it(calls, monkeypatch, names):
    launcher.follow_launcher()
    assert calls == []  # a shell may end before what it started
    for name in names:
        monkeypatch.setenv(name, "no")
    launcher.follow_launcher()
    assert calls == [(1, signal.SIGTERM)]


def test_a_launcher_that_died_before_is_noticed(calls, monkeypatch):
    monkeypatch.setenv(launcher.TORCHRUN, "x")
    monkeypatch.setattr(sys, "platform", "linux")
    parents = iter([7, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    launcher.follow_launcher()
    assert calls[-1] == (os.getpid(), signal.SIGTERM)


def test_elsewhere_nothing_is_asked(calls, monkeypatch):
    monkeypatch.setenv(launcher.TORCHRUN, "x")
    monkeypatch.setattr(sys, "platform", "darwin")
    launcher.follow_launcher()
    assert calls == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux knows it")
def test_the_death_of_a_real_parent_ends_its_child(monkeypatch):
    monkeypatch.setenv(launcher.TORCHRUN, "x")
    command = [sys.executable, "-c", LAUNCHER, CHILD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "started\n"
        parent.kill()
        # the child holds the other end: this comes when it is gone
        assert parent.stdout.read() == ""


ROOT = Path(__file__).parents[2]
ACCELERATE = ("accelerate.commands.launch", "--quiet", "--num_processes", "1", "--cpu")
ACCELERATE += ("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no")
TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc_per_node", "2")
# a run that waits less for the process that speaks for its machine
IMPATIENT = """
from pipelines.cli import command_line, main
command_line.SPEAKER_SECONDS = 0.2
exit(main(["run", "nothing"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("launch", "has_traceback"), [(ACCELERATE, False), (TORCHRUN, True)])
def test_a_mistake_is_one_message_and_the_launcher_s_exit_code(
    launch: tuple[str, ...], has_traceback: bool, tmp_path: Path, python_offline: WarmPython
) -> None:
    """2 is the run's own: accelerate makes 1 of it, and torchrun names it in its traceback."""
    command = [python_offline.path, "-m", *launch, str(ROOT / "pipelines" / "run.py"), "nothing"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("error: nothing: no such file, and no recipe of that name") == 1
    assert ("Traceback" in done.stderr) == has_traceback
    assert ("exitcode  : 2" in done.stderr) == has_traceback


@pytest.mark.slow
def test_an_error_of_one_process_alone_is_told(
    tmp_path: Path, python_offline: WarmPython, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that speaks for its machine goes on here, so that nobody ends this one."""
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [python_offline.path, "-c", IMPATIENT]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert re.fullmatch(
        r"error: process 1 of machine 0 \(.+\): nothing: no such file, and no recipe of that name",
        done.stderr.splitlines()[0].partition(";")[0],
    )
