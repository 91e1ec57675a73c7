"""Standard output and standard error: closed before a command starts, or by what it runs."""

import subprocess
import sys

import pytest

from pipelines.core import standard_streams
from pipelines.core.errors import RecipeError, StreamError


def close(name: str, monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> None:
    """Close a stream as code of others might, then use it, or raise an error."""
    # pytest's own is not to be closed; set here, since pytest puts its own back before the test
    stream = open({"stdout": 1, "stderr": 2}[name], "w", closefd=False)  # noqa: SIM115
    monkeypatch.setattr(sys, name, stream)
    with standard_streams.restored():
        getattr(sys, name).close()
        if error:
            raise error
        print("x", file=getattr(sys, name))


def test_an_error_that_comes_of_a_closed_stream_says_what_closed_it(capfd, monkeypatch) -> None:
    with pytest.raises(StreamError, match=r"closes sys\.stdout; take that out"):
        close("stdout", monkeypatch)
    print("to stdout")
    assert capfd.readouterr().out == "to stdout\n"


@pytest.mark.parametrize("error", [RecipeError("clear"), KeyboardInterrupt("interrupted")])
def test_what_is_clear_by_itself_stays(error: BaseException, capfd, monkeypatch) -> None:
    with pytest.raises(type(error), match=str(error)):
        close("stderr", monkeypatch, error)
    print("to stderr", file=sys.stderr)
    assert capfd.readouterr().err == "to stderr\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("arguments", "code"), [("list", 0), ("check missing.yaml", 2)])
def test_a_command_runs_without_streams(closed: str, arguments: str, code: int) -> None:
    command = f"{sys.executable} -W error -m pipelines.cli {arguments} {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["0, 1", "0, 3", "1, 3", "3, 50", "0, 50"])
def test_no_file_gets_the_number_of_a_stream_that_was_closed(closed: str) -> None:
    program = (
        "import os, sys\nfrom pipelines.core import standard_streams\n"
        f"with standard_streams.restored():\n    os.closerange({closed})\n"
        "print('to stdout', flush=True)\nsys.exit(os.open(os.devnull, os.O_RDONLY))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode > 2
    assert not done.stderr
    assert done.stdout == ("" if closed == "0, 50" else "to stdout\n")  # all copies, too


def test_a_file_that_has_got_the_number_of_a_copy_stays_open() -> None:
    program = (
        "import os, sys\nfrom pipelines.core import standard_streams\n"
        "with standard_streams.restored():\n    os.closerange(1, 50)\n"
        "    files = [os.open(sys.argv[1], os.O_RDONLY) for _ in range(40)]\n"
        "for file in files:\n    os.fstat(file)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, __file__], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
