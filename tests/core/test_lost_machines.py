"""A machine that is lost ends the others, seen from one of them: the other side is the test."""

import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from pipelines.core import lost_machines
from pipelines.core.lost_machines import NUM_NAME_BYTES, NUM_TOKEN_BYTES

TOKEN = b"t" * NUM_TOKEN_BYTES
# a machine that waits for others until somebody writes to it
WAITS = """
import sys
from pipelines.core import lost_machines
lost_machines.GRACE_SECONDS = 0.1
lost_machines.BEAT_SECONDS, lost_machines.MAX_BEATS = 0.1, 10
{start}
print(*{prints}, flush=True)
sys.stdin.read()
lost_machines.say_goodbye(failed=False)
"""
FOLLOWER = f"lost_machines.follow('127.0.0.1', int(sys.argv[1]), {TOKEN})"
MAIN = "port, token = lost_machines.serve()"


def start(code, *arguments, rank=0):
    environment = {"RANK": str(rank), "GROUP_RANK": str(rank), "WORLD_SIZE": "2"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**environment, "LOCAL_WORLD_SIZE": "1", "LOCAL_RANK": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("last", "reason"),
    [(b"", "is lost"), (b"f", "has failed"), (b"d", None)],
    ids=["lost", "failed", "done"],
)
def test_a_machine_ends_with_the_main_one(last, reason):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = WAITS.format(start=FOLLOWER, prints="[1]")
        with start(code, str(server.getsockname()[1]), rank=1) as machine:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as reader:
                greeting = reader.read(NUM_TOKEN_BYTES + NUM_NAME_BYTES)
                assert greeting.startswith(TOKEN + b"machine 1 (")
                connection.sendall(last)
            if reason is None:
                _, err = machine.communicate("go on", timeout=20)
                assert (machine.returncode, err) == (0, "")
                return
            assert machine.wait(timeout=20) == lost_machines.EXIT_CODE
            err = machine.stderr.read()
    assert err.startswith(f"error: the main machine {reason}, so that this one ends, too; to go on")
    assert "training.resume_from_checkpoint=true" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(("last", "reason"), [(b"", "is lost"), (b"f", "has failed")])
def test_the_main_machine_ends_with_one_that_it_knows(last, reason):
    code = WAITS.format(start=MAIN, prints="[port, token.hex()]")
    with start(code) as machine:
        port, token = machine.stdout.readline().split()
        place = ("127.0.0.1", int(port))
        with socket.create_connection(place) as stranger:  # who only looks what is there
            stranger.sendall(b"x" * (NUM_TOKEN_BYTES + NUM_NAME_BYTES))
            assert stranger.recv(1) == b""
        with socket.create_connection(place) as other:
            name = b"machine 1 (\x1b[31mred)"
            other.sendall(bytes.fromhex(token) + name.ljust(NUM_NAME_BYTES) + last)
        assert machine.wait(timeout=20) == lost_machines.EXIT_CODE
        err = machine.stderr.read()
    # names come from elsewhere: none of them may steer the terminal
    assert err.startswith(f"error: machine 1 ([31mred) {reason}, so that this one ends, too; ")


def test_a_machine_that_is_done_says_so():
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = WAITS.format(start=FOLLOWER, prints="[1]")
        with start(code, str(server.getsockname()[1]), rank=1) as machine:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as reader:
                machine.communicate("go on", timeout=20)
                assert reader.read()[NUM_TOKEN_BYTES + NUM_NAME_BYTES :].strip(b"b") == b"d"
            assert machine.returncode == 0


@pytest.mark.slow
def test_a_machine_that_stands_still_is_lost_and_one_that_goes_on_is_not():
    """Stopped, its kernel still answers; who was stopped with it does not count that time."""
    with start(WAITS.format(start=MAIN, prints="[port, token.hex()]")) as machine:
        port, token = machine.stdout.readline().split()
        follower = f"lost_machines.follow('127.0.0.1', {port}, bytes.fromhex('{token}'))"
        with start(WAITS.format(start=follower, prints="[1]"), rank=1) as other:
            other.stdout.readline()
            for each in (machine, other):
                each.send_signal(signal.SIGSTOP)
            time.sleep(1.5)
            for each in (machine, other):
                each.send_signal(signal.SIGCONT)
            time.sleep(0.5)
            assert (machine.poll(), other.poll()) == (None, None)
            other.send_signal(signal.SIGSTOP)
            assert machine.wait(timeout=20) == lost_machines.EXIT_CODE
            other.kill()
        err = machine.stderr.read()
    assert re.match(r"error: machine 1 \(.*\) stands still for 1 s, so that this one ends, ", err)


def test_silence_is_noticed_within_the_minute():
    """A launcher takes half of it to end processes that wait for others."""
    assert lost_machines.MAX_SILENCE + 30 < 60
