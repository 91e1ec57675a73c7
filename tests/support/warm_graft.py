"""`graft` in a second instead of seven: an interpreter that has the libraries forks for each call.

    with WarmGraft(tmp_path, environment) as warm:
        subprocess.run(["bash", "-c", "graft list | head"], env=warm.environment)

`warm.environment` has a `graft` on its PATH that hands its arguments, folder and streams to the
interpreter. `pipelines` is imported anew for each call, from the folder of the call if it is there.
Run as a script with a session's folder as the only argument, this file executes blocks of Python
one after the other, in one namespace: a line of JSON comes in, a line goes out.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

BIN = Path(sys.executable).parent
CLIENT = f"""#!{sys.executable} -S
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect("SOCKET")
call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(call).to_bytes(4, "big")], [0, 1, 2])
server.sendall(call)
sys.exit(int(server.makefile().readline()))
"""
# whether the target exists, without installing anything
MAKE = """#!/bin/sh
exec /usr/bin/env PATH="${PATH#*:}" make --dry-run "$@"
"""
PRELOADED = (
    "accelerate",
    "datasets",
    "evaluate",
    "matplotlib.figure",
    "optuna",
    "peft",
    "scipy.stats",
    "sklearn.linear_model",
    "timm",
    "torchvision",
    "transformers.trainer",
    "transformers.models.auto.modeling_auto",
)


class WarmGraft:
    """The interpreter, and the environment for those who call it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        commands = folder / "bin"
        commands.mkdir(parents=True)
        # not below `folder`, which may be too long for the address of a socket
        self._sockets = TemporaryDirectory(prefix="graft-")
        self._socket = Path(self._sockets.name) / "socket"
        for name, text in (("graft", CLIENT), ("python-session", CLIENT), ("make", MAKE)):
            text = text.replace("SOCKET", str(self._socket))
            text = text.replace("sys.argv[1:]", "['session']") if "session" in name else text
            (commands / name).write_text(text, encoding="utf-8")
            (commands / name).chmod(0o755)
        path = f"{commands}:{BIN}:{os.environ['PATH']}"
        self.environment = {**os.environ, **environment, "PATH": path}

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, __file__, str(self._socket)],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout
        assert self._server.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error: object) -> None:
        self._server.terminate()
        self._server.communicate()
        self._sockets.cleanup()


def serve(path: str) -> None:
    """Import the libraries, then fork for each call until somebody terminates this process."""
    for name in PRELOADED:
        __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are not waited for
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    print("ready", flush=True)
    while True:
        call, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _answer(call)
        call.close()


def _answer(call: socket.socket) -> None:
    """Run one call with its own streams, and send its exit code back."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(call, 4, 3)
    reader = call.makefile("rb")
    arguments, folder, environment = json.loads(reader.read(int.from_bytes(size, "big")))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    code = 1
    try:
        code = _session() if arguments == ["session"] else _graft(arguments)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 2
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    call.sendall(f"{code}\n".encode())
    os._exit(0)


def _graft(arguments: list[str]) -> int:
    from pipelines.cli import main

    return main(arguments)


def _session() -> int:
    """Execute blocks until there are no more; the answer to each is "" or a traceback."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for line in sys.stdin:
        name, text = json.loads(line)
        failure = ""
        try:
            exec(compile(text, name, "exec"), namespace)
        except BaseException:
            failure = traceback.format_exc()
        answers.write(json.dumps(failure) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
