"""One process owns a run folder; others are refused, and what cannot be locked goes on."""

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.core.errors import RunError
from pipelines.report import ownership
from pipelines.report.ownership import owning
from pipelines.report.run_folder import RunFolder

HOLD = """
import sys
from pipelines.report.ownership import owning
from pipelines.report.run_folder import RunFolder
with owning(RunFolder.of(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path):
    run = RunFolder.create(tmp_path, "quick")
    run.lock.write_text("{}", encoding="utf-8")
    return run


@pytest.fixture
def fail(monkeypatch):
    """fail(number): locking ends in this error."""

    def fail(number):
        def lockf(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(ownership.fcntl, "lockf", lockf)

    return fail


def leads_to(descriptor, file):
    try:
        return os.path.samestat(os.fstat(int(descriptor)), file.stat())
    except OSError:  # that of the listing
        return False


def test_an_owner_says_who_it_is_until_it_ends(run):
    with owning(run):
        owner = json.loads(run.owner.read_text(encoding="utf-8"))
        assert owner["pid"] == os.getpid()
        assert owner.keys() == {"pid", "host", "started"}
    assert not run.owner.exists()
    with pytest.raises(KeyError), owning(run):
        raise KeyError
    assert not run.owner.exists()


def test_a_stage_is_its_whole_runs(run):
    run.staged_recipe.touch()
    stage = run.stage(0, "masked_lm")
    stage.path.mkdir()
    with owning(run), owning(stage), owning(run):
        assert not stage.owner.exists()
    assert not run.owner.exists()


@pytest.mark.parametrize("is_reused", [False, True])
def test_a_lock_that_code_of_others_closes_ends_without_it(run, is_reused):
    with owning(run):
        (lock,) = (int(name) for name in os.listdir("/dev/fd") if leads_to(name, run.owner))
        os.close(lock)
        if is_reused:
            os.dup2(os.open(run.lock, os.O_RDONLY), lock)
    assert not run.owner.exists()
    if is_reused:
        os.close(lock)


def test_another_thread_of_a_process_is_another_owner(run):
    with ThreadPoolExecutor(1) as threads, owning(run):
        refused = threads.submit(owning(run).__enter__)
        with pytest.raises(RunError, match="is still training, in another thread; wait until"):
            refused.result()
    with owning(run):
        pass


@pytest.mark.parametrize(
    ("content", "owner"),
    [
        ('{"pid": 7, "host": "a\\nb", "started": "today"}', r" \(process 7 on ab, since today\);"),
        ("", ", in another process;"),
        ("[" * 900, ", in another process;"),
    ],
)
def test_a_run_that_is_training_is_refused_in_one_message(run, fail, content, owner):
    run.owner.write_text(content, encoding="utf-8")
    fail(errno.EAGAIN)
    with pytest.raises(RunError, match=f"quick/1: is still training{owner} wait until"):
        owning(run).__enter__()
    assert run.owner.read_text(encoding="utf-8") == content


def test_where_nothing_can_be_locked_a_line_says_so(run, fail, capsys, monkeypatch):
    fail(errno.ENOLCK)
    with owning(run):
        assert "quick/1 cannot be locked (No locks available): nothing" in capsys.readouterr().out
    assert not run.owner.exists()
    run.owner.symlink_to(run.lock)  # nothing is written through a link
    with owning(run):
        assert "cannot be locked" in capsys.readouterr().out
    assert run.lock.read_text(encoding="utf-8") == "{}"
    monkeypatch.setattr(ownership, "fcntl", None)  # as on Windows
    with owning(run):
        assert capsys.readouterr().out == ""


def test_a_file_that_its_owner_removes_meanwhile_is_made_anew(run, monkeypatch):
    lockf, calls = ownership.fcntl.lockf, []

    def removed_first(*arguments):
        if not calls:
            run.owner.unlink()
        calls.append(arguments)
        return lockf(*arguments)

    monkeypatch.setattr(ownership.fcntl, "lockf", removed_first)
    with owning(run):
        assert run.owner.exists()
    assert len(calls) == 2


@pytest.mark.slow
def test_another_process_is_kept_out_until_this_one_is_killed(run):
    command = [sys.executable, "-c", HOLD, str(run)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=rf"\(process {holder.pid} on "):
            owning(run).__enter__()
        holder.kill()
        holder.wait(timeout=10)
    with owning(run):
        assert json.loads(run.owner.read_text(encoding="utf-8"))["pid"] == os.getpid()
