"""`python` in a moment, not in ten seconds: one that has the libraries forks for each call.

    with WarmPython(("torch", "sklearn", "module:function")) as warm:  # the function is called, too
        subprocess.run([warm.path, "-W", "error", "-c", "import torch; …"])

`warm.path` is a command that takes what `python` takes (-c, -m or a script; the options -I, -P, -u
and -W), hands its arguments, folder, environment and streams on, passes SIGINT and SIGTERM through,
and ends as the call ends. The project is imported anew for each call, from the call's folder if it
is there; with -I there is none, installed or not.

Of the libraries, those of Hugging Face read the environment when they are imported: only calls
that agree about it can share an interpreter that has them. One can start from another's `path`.
"""

import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
import types
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

TORCH = (
    "matplotlib.figure",
    "pandas",
    "pydantic",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.linear_model",
    "torch.distributed.run",
    "torchvision",
)
TRANSFORMERS = (
    "accelerate",
    "datasets",
    "evaluate",
    "optuna",
    "peft",
    "timm",
    "transformers.trainer",
    "transformers.pipelines",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
)
GC_THRESHOLD = 20_000  # between collections of garbage, not 700: a quarter of the time of an import
CLIENT = f"""#!{sys.executable} -S
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect("SOCKET")
call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(call).to_bytes(4, "big")], [0, 1, 2])
server.sendall(call)
answers = server.makefile()
child = int(answers.readline())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(child, number))
end = answers.readline()
sys.exit(int(end) if end else 1)
"""


class WarmPython:
    """The interpreter: `python` is who starts it, `environment` what its libraries see."""

    def __init__(
        self,
        libraries: Iterable[str],
        python: str | Path = sys.executable,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        # of its own and short: a socket's address has at most 107 bytes
        self._folder = TemporaryDirectory(prefix="graft-")
        self.path = Path(self._folder.name) / "python"
        self._socket = f"{self._folder.name}/socket"
        self._command = [str(python), __file__, self._socket, *libraries]
        self._environment = environment

    def __enter__(self) -> Self:
        self.path.write_text(CLIENT.replace("SOCKET", self._socket), encoding="utf-8")
        self.path.chmod(0o755)
        self._server = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.PIPE, text=True
        )
        assert self._server.stdout
        assert self._server.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error: object) -> None:
        self._server.terminate()
        self._server.communicate()
        self._folder.cleanup()


def serve(path: str, libraries: Iterable[str]) -> None:
    """Import the libraries, then fork for each call until somebody terminates this process."""
    gc.disable()  # a quarter of the time of all imports
    for library in libraries:
        name, _, function = library.partition(":")
        __import__(name)
        if function:
            getattr(sys.modules[name], function)()
    gc.freeze()  # no child looks through what it shares with the others
    gc.set_threshold(GC_THRESHOLD)
    gc.enable()
    sys.executable = str(Path(path).with_name("python"))  # a launcher's processes are as quick
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
    call.sendall(f"{os.getpid()}\n".encode())
    size, streams, _, _ = socket.recv_fds(call, 4, 3)
    reader = call.makefile("rb")
    arguments, folder, environment = json.loads(reader.read(int.from_bytes(size, "big")))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code: Any = 0
    try:
        _execute(arguments)
    except SystemExit as end:
        code = 0 if end.code is None else end.code
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    call.sendall(f"{code}\n".encode())
    os._exit(0)  # taking the libraries down takes as long as importing them


def _execute(arguments: list[str]) -> None:
    """Do what `python ARGUMENTS` does."""
    sys.path[0] = ""
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    while (option := arguments.pop(0)).startswith("-"):
        if option == "-I":
            sys.path[0] = str(Path(__file__).parent / "nothing")
            sys.modules["pipelines"] = None  # type: ignore[assignment]
        elif option == "-P":
            sys.path[0] = str(Path(__file__).parent / "nothing")
        elif option == "-u":
            sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
        elif option.startswith("-W"):
            _filter_warnings(option[2:] or arguments.pop(0))
        elif option == "-c":
            sys.argv = ["-c", *arguments[1:]]
            sys.modules["__main__"] = main = types.ModuleType("__main__")
            exec(compile(arguments[0], "<string>", "exec"), main.__dict__)
            return
        elif option == "-m":
            sys.argv = arguments
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
            return
        else:
            raise NotImplementedError(option)
    sys.argv = [option, *arguments]
    sys.path[0] = str(Path(option).resolve().parent)
    runpy.run_path(option, run_name="__main__")


def _filter_warnings(text: str) -> None:
    """Add a filter such as `error` or `ignore:message:DeprecationWarning`."""
    action, message, category = (*text.split(":"), "", "")[:3]
    kind = getattr(__import__("builtins"), category or "Warning")
    warnings.filterwarnings(action, message, kind)  # type: ignore[arg-type]


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2:])
