"""Several workers share one search: no trial twice, none lost, in a file and in a database."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from optuna import create_study

from pipelines.core.errors import RunError
from pipelines.tuning.search.storage import open_storage, shown

ROOT = Path(__file__).parents[2]
WORKER = ROOT / "tests" / "support" / "search_worker.py"
GRID, RANGE = "training.max_steps=1..8", "training.learning_rate=1e-5..1e-2"
NUM_WORKERS = 4


def start(storage, space, *options, trials=8):
    return subprocess.Popen(
        [sys.executable, str(WORKER), storage, space, str(trials), *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def drawn(workers):
    """The trials that workers ran: (number, values)."""
    outputs = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * len(workers), outputs
    lines = [line for out, _ in outputs for line in out.splitlines() if line.startswith("trial")]
    return sorted((int(number), values) for _, number, values in (x.split(" ", 2) for x in lines))


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
def test_workers_share_the_points_of_a_grid_and_take_over_from_one_that_is_killed(storage):
    lost = start(storage, GRID, "hang")
    while not (line := lost.stdout.readline()).startswith("trial"):
        assert line, lost.stderr.read()
    workers = [start(storage, GRID) for _ in range(NUM_WORKERS)]
    time.sleep(2)  # by then they run the points that are left
    lost.kill()
    lost.communicate()
    trials = drawn(workers)
    assert [number for number, _ in trials] == [*range(1, 9)]
    assert Counter(values for _, values in trials) == {
        f"training.max_steps={steps}": 1 for steps in range(1, 9)
    }
    # and one that comes later finds all of it done
    assert drawn([start(storage, GRID)]) == []


@pytest.mark.slow
def test_workers_draw_what_no_other_has_drawn(tmp_path):
    place = str(tmp_path / "study.log")
    trials = drawn([start(place, RANGE, trials=12) for _ in range(NUM_WORKERS)])
    assert [number for number, _ in trials] == [*range(1, 13)]
    assert len({values for _, values in trials}) == 12
    other = start(place, GRID)
    _, error = other.communicate(timeout=60)
    assert other.returncode == 1
    assert error.startswith(f"error: {place}: holds the trials of another search (space: ")


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
