"""Several workers share one search: no trial twice, none lost, in a file and in a database."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from optuna import create_study
from warm_python import WarmPython

from pipelines.core.errors import RunError
from pipelines.tuning.search.storage import open_storage, shown

ROOT = Path(__file__).parents[2]
WORKER = ROOT / "tests" / "support" / "search_worker.py"
GRID, RANGE = "training.max_steps=1..8", "training.learning_rate=1e-5..1e-2"
NUM_WORKERS = 4


LIBRARIES = (
    "alembic.command",
    "optuna.storages",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
)


class Worker:
    """A process that works on a search, and what it has printed so far."""

    def __init__(self, python, folder, storage, space, *options, trials=8):
        self._out = folder / f"worker-{time.monotonic_ns()}"
        with self._out.open("w") as out:
            self.process = subprocess.Popen(
                [python.path, WORKER, storage, space, str(trials), *options],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
                },
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
            )

    def lines(self, start):
        """The lines that begin with a word, without it."""
        lines = self._out.read_text().splitlines(keepends=True)
        return [
            line[len(start) :].strip()
            for line in lines
            if line.startswith(start) and line[-1] == "\n"
        ]

    def end(self):
        """Wait for its end; returns the exit code and the errors."""
        _, errors = self.process.communicate(timeout=120)
        return self.process.returncode, errors


@pytest.fixture(scope="module")
def libraries(python):
    with WarmPython(LIBRARIES, python.path) as warm:
        yield warm


@pytest.fixture
def start(libraries, tmp_path):
    """start(storage, space, …): a worker."""
    return partial(Worker, libraries, tmp_path)


def begun(workers):
    """The trials that workers have begun: (number, values)."""
    lines = [line.split(" ", 1) for worker in workers for line in worker.lines("trial")]
    return sorted((int(number), values) for number, values in lines)


def finished(workers):
    """The trials of workers that have come to their end."""
    assert [worker.end() for worker in workers] == [(0, "")] * len(workers)
    return begun(workers)


def wait_for(workers, num_trials):
    """Wait until workers have begun a number of trials."""
    limit = time.monotonic() + 60
    while len(begun(workers)) < num_trials:
        assert all(worker.process.poll() is None for worker in workers), [w.end() for w in workers]
        assert time.monotonic() < limit
        time.sleep(0.02)


def find_program(name):
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or next(map(str, places), None)


@pytest.fixture(scope="module")
def postgresql():
    """A server of its own, on a socket in a folder of its own."""
    pytest.importorskip("psycopg", reason="no driver: pip install 'psycopg[binary]'")
    initdb, server = find_program("initdb"), find_program("postgres")
    if not (initdb and server):
        pytest.skip("no initdb: PostgreSQL is not installed")
    # of a short name, and open to the user below: the path of a socket has at most 107 characters
    folder = tempfile.mkdtemp(prefix="pg-", dir="/tmp")
    user = {}
    if os.geteuid() == 0:  # as which PostgreSQL refuses to run
        user = {"user": "nobody"}
        shutil.chown(folder, "nobody")
    options = ["-D", f"{folder}/data", "-U", "graft", "--auth=trust", "--no-sync"]
    subprocess.run([initdb, *options], check=True, capture_output=True, cwd=folder, **user)
    command = [server, "-D", f"{folder}/data", "-k", folder, "-F", "-c", "listen_addresses="]
    with open(f"{folder}/log", "w") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **user)
    try:
        while not Path(f"{folder}/.s.PGSQL.5432").exists():
            assert running.poll() is None, Path(f"{folder}/log").read_text()
            time.sleep(0.1)
        yield f"postgresql+psycopg://graft@/postgres?host={folder}"
    finally:
        running.terminate()
        running.wait()
        shutil.rmtree(folder)


@pytest.fixture(params=["journal", "postgresql"])
def storage(request, tmp_path):
    if request.param == "journal":
        return str(tmp_path / "shared" / "study.log")
    return request.getfixturevalue("postgresql")


@pytest.mark.slow
def test_workers_share_the_points_of_a_grid_and_take_over_from_one_that_is_killed(storage, start):
    lost = start(storage, GRID, "hang")
    wait_for([lost], 1)
    workers = [start(storage, GRID) for _ in range(NUM_WORKERS)]
    wait_for(workers, 7)  # the points that are left
    os.kill(int(lost.lines("open")[0]), signal.SIGKILL)
    lost.end()
    trials = finished(workers)
    assert [number for number, _ in trials] == [*range(1, 9)]
    assert Counter(values for _, values in trials) == {
        f"training.max_steps={steps}": 1 for steps in range(1, 9)
    }
    # and one that comes later finds all of it done
    assert finished([start(storage, GRID)]) == []


@pytest.mark.slow
def test_workers_draw_what_no_other_has_drawn(start, tmp_path):
    place = str(tmp_path / "study.log")
    trials = finished([start(place, RANGE, trials=12) for _ in range(NUM_WORKERS)])
    assert [number for number, _ in trials] == [*range(1, 13)]
    assert len({values for _, values in trials}) == 12
    code, errors = start(place, GRID).end()
    assert code == 1
    assert errors.startswith(f"error: {place}: holds the trials of another search (space: ")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("oracl://me:secret@host/x", "--storage oracl://***@host/x: "),
        ("postgresql+psycopg2://me:secret@host/x", "needs the package psycopg2, which is not"),
        ("sqlite:////nowhere/at/all.db", "--storage sqlite:////nowhere/at/all.db: unable to open"),
        ("://", "--storage ://…: "),
        ("/dev/null/study.log", "/dev/null: cannot be written"),
    ],
)
def test_a_storage_that_cannot_be_opened_is_one_message_without_the_password(place, message):
    with pytest.raises(RunError) as refusal:
        open_storage(place)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("text", ["notes\nof mine\n", "notes", '{"op_code": 0}\n', "[1]\n"])
def test_a_file_that_is_no_journal_stays_as_it_is(text, tmp_path):
    file = tmp_path / "study.log"
    file.write_text(text)
    with pytest.raises(RunError, match="no journal of a search, or a damaged one"):
        open_storage(str(file))
    assert file.read_text() == text


def test_half_a_line_of_a_worker_that_was_killed_is_dropped(tmp_path):
    file = tmp_path / "study.log"
    create_study(storage=open_storage(str(file)), study_name="one")
    whole = file.read_text()
    file.write_text(whole + '{"op_code":4,"wor')
    storage = open_storage(str(file))
    assert file.read_text() == whole
    create_study(storage=storage, study_name="two")
    assert len(open_storage(str(file)).get_all_studies()) == 2


def test_a_password_is_not_shown():
    assert shown("postgresql://me:secret@host/x") == "postgresql://me:***@host/x"
    assert shown("shared/study.log") == "shared/study.log"
