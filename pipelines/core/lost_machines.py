"""The end of a run when a process or a machine of it is lost: at once, with one message.

Processes that wait for one another would wait for half an hour (`training.ddp_timeout`). So one
process of each machine holds a connection to the main one. The kernel notices within MAX_SILENCE
that the other machine no longer answers. Of a process that stands still on a machine that does
answer only the beats stop, which both sides send: after MAX_BEATS without one it counts as lost.
"""

import atexit
import hmac
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pipelines.core import processes
from pipelines.core.errors import text_of
from pipelines.core.upstream import exit_at_once

# seconds of silence, then between probes, and their number: a launcher then takes half a minute
# to end processes that wait for others, and all of it is to take no longer than a minute
IDLE, INTERVAL, PROBES = 5, 5, 4
MAX_SILENCE = IDLE + INTERVAL * PROBES
MAX_CONNECT_SECONDS = 30.0
GRACE_SECONDS = 20.0  # to end by itself, after another machine has failed and told so
NAMING_SECONDS = 2.0  # in which a connection that was cut names the machine
DONE, FAILED, BEAT = b"d", b"f", b"b"
# a process that computes may be late; one that a scheduler has stopped and goes on with all others
# has missed one beat, however long it stood still
BEAT_SECONDS, MAX_BEATS = 10.0, 30
NUM_TOKEN_BYTES, NUM_NAME_BYTES = 16, 100
EXIT_CODE = 1

_connections: list[socket.socket] = []
_failed: list[str] = []  # machines that have said so
_is_watching = False
_speaking = threading.Lock()


def watch_machines() -> None:
    """Connect this machine with the main one, once; on one machine do nothing."""
    global _is_watching
    if processes.num_machines() == 1 or _is_watching:
        return
    _is_watching = True
    port, token = processes.from_main(serve)
    if processes.is_main() or not processes.is_first_of_machine():
        return
    try:
        follow(os.environ.get("MASTER_ADDR", "localhost"), port, token)
    except OSError as error:
        # not `say`, which is for the main process: this is about one machine
        print(
            f"note: {processes.machine_name()} cannot connect to port {port} of the main machine "
            f"({error}): if one of them is lost, the others wait for training.ddp_timeout",
            file=sys.stderr,
            flush=True,
        )


def say_goodbye(*, failed: bool) -> None:
    """Tell the other machines that this one ends in order, so that they do not take it for lost.

    Args:
        failed: it has not done its part, and the others cannot go on without it.
    """
    connections = [*_connections]
    _connections.clear()  # first: who watches them sees by this that it was this side
    for connection in connections:
        with suppress(OSError):
            connection.sendall(FAILED if failed else DONE)
            connection.shutdown(socket.SHUT_RDWR)


def is_cut(error: BaseException) -> bool:
    """Return whether an error is that of a connection to another process of the run."""
    torch = sys.modules.get("torch")
    if torch is None or processes.num_processes() == 1:
        return False
    if isinstance(error, torch.distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and "gloo/transport" in text_of(error)


def end(reason: str) -> None:
    """End this process at once: its main thread waits for an answer that will not come.

    Of several reasons the first one is printed, once on each machine.
    """
    _speaking.acquire()  # for good: whoever comes next waits for the end of the process
    text = (
        f"error: {reason}, so that this one ends, too; to go on from the last checkpoint, start "
        "the same command with --resume (training.resume_from_checkpoint=true), on any number of "
        "processes"
    )
    if processes.is_first_of_machine():
        shown = "".join(letter for letter in text if letter.isprintable())
        with suppress(OSError):
            print(shown, file=sys.stderr, flush=True)
    exit_at_once(EXIT_CODE)


def end_of_cut_connection() -> None:
    """End this process; whoever watches the machines may name the lost one before."""
    if _is_watching:
        time.sleep(NAMING_SECONDS)
    end(f"{_failed[0]} has failed" if _failed else "a process of this run is lost")


def follow(address: str, port: int, token: bytes) -> None:
    """Connect to the main machine, and end this process when it is lost.

    Raises:
        OSError: it cannot be reached.
    """
    connection = socket.create_connection((address, port), timeout=MAX_CONNECT_SECONDS)
    name = processes.machine_name().encode()[:NUM_NAME_BYTES].ljust(NUM_NAME_BYTES)
    connection.sendall(token + name)
    _keep_alive(connection)
    _connections.append(connection)
    atexit.register(_at_exit)
    _start(_beat, connection)
    _start(_watch, connection, "the main machine")


def serve() -> tuple[int, bytes]:
    """Listen for the other machines; returns the port, and what they have to send first."""
    try:
        server = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError):
        server = socket.create_server(("", 0))  # a machine without IPv6
    token = secrets.token_bytes(NUM_TOKEN_BYTES)
    atexit.register(_at_exit)
    _start(_accept, server, token)
    return server.getsockname()[1], token


def _accept(server: socket.socket, token: bytes) -> None:
    while True:
        connection, _ = server.accept()
        _start(_admit, connection, token)


def _admit(connection: socket.socket, token: bytes) -> None:
    """Watch a machine that knows the token; whoever else connects can end nothing."""
    with suppress(OSError), connection:
        connection.settimeout(MAX_CONNECT_SECONDS)
        greeting, size = b"", NUM_TOKEN_BYTES + NUM_NAME_BYTES
        # no byte more: a goodbye may follow at once
        while piece := connection.recv(size - len(greeting)):
            greeting += piece
        if hmac.compare_digest(greeting[:NUM_TOKEN_BYTES], token):
            _keep_alive(connection)
            _connections.append(connection)
            _start(_beat, connection)
            _watch(connection, greeting[NUM_TOKEN_BYTES:].decode(errors="replace").strip())


def _watch(connection: socket.socket, name: str) -> None:
    """Wait for what comes over a connection: beats, then a goodbye, or its end."""
    last, num_missed = BEAT, 0
    while last == BEAT and num_missed < MAX_BEATS:
        try:
            connection.settimeout(BEAT_SECONDS)
            last, num_missed = connection.recv(1), 0
            if last == BEAT:
                continue
        except TimeoutError:
            num_missed += 1
        except OSError:
            last = b""
        if connection not in _connections:  # this machine has said goodbye
            return
    if last == DONE:
        return
    if last == FAILED:
        _failed.append(name)
        time.sleep(GRACE_SECONDS)
    problems = {FAILED: "has failed", BEAT: f"stands still for {BEAT_SECONDS * MAX_BEATS:,.0f} s"}
    end(f"{name} {problems.get(last, 'is lost')}")


def _beat(connection: socket.socket) -> None:
    """Show the other side that this process goes on, until one of both ends."""
    while connection in _connections:
        try:
            connection.sendall(BEAT)
        except OSError:  # which whoever watches the connection explains
            return
        time.sleep(BEAT_SECONDS)


def _start(work: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _keep_alive(connection: socket.socket) -> None:
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    values = {"TCP_KEEPIDLE": IDLE, "TCP_KEEPINTVL": INTERVAL, "TCP_KEEPCNT": PROBES}
    for option, value in values.items():
        if hasattr(socket, option):  # elsewhere the system's own hours
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _at_exit() -> None:
    say_goodbye(failed=hasattr(sys, "last_type"))  # set where an exception ended the process
