"""Machines that see the run folder of the main one, or not; the other answers from the test."""

import fcntl
import subprocess
import sys

import pytest

from pipelines.core import machines
from pipelines.core.errors import RunError


@pytest.fixture
def other_sees(monkeypatch):
    """other_sees(flag): there is another machine, which sees the folder or does not."""

    def answer(flag):
        for name, value in {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 1}.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setattr("accelerate.utils.broadcast_object_list", lambda values: values)
        other = ("machine 1 (other)", flag)
        monkeypatch.setattr("accelerate.utils.gather_object", lambda values: [*values, other])

    return answer


def test_one_machine_uses_the_folder_itself(tmp_path):
    machines.require_shared(tmp_path, "a soup")
    with machines.visible(tmp_path) as folder:
        assert folder == tmp_path


def test_what_goes_through_the_folder_is_refused_where_a_machine_does_not_see_it(
    other_sees, tmp_path
):
    other_sees(True)
    machines.require_shared(tmp_path, "a soup")
    other_sees(False)
    with pytest.raises(RunError, match=r"is not seen by machine 1 \(other\); a soup goes through"):
        machines.require_shared(tmp_path, "a soup")
    assert not [*tmp_path.iterdir()]  # nothing is left of the question


LOCK = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


def test_what_is_sent_to_a_machine_leaves_out_the_file_that_is_locked(other_sees, tmp_path):
    """A lock of POSIX ends when its process closes the file, through whatever descriptor."""
    other_sees(False)
    owner = tmp_path / "owner.json"
    (tmp_path / "lock.json").write_text("{}")
    with owner.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        with machines.visible(tmp_path, without=owner.name) as folder:
            assert folder == tmp_path
        other = subprocess.run([sys.executable, "-c", LOCK, owner], capture_output=True, text=True)
    assert "BlockingIOError" in other.stderr
