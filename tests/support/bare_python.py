"""An interpreter that knows no module of ours, for what a run prints to be used without it.

    with BarePython(folder) as bare:
        bare.run("from transformers import pipeline; print(…)")

It imports the libraries once and forks for each program: an interpreter of its own would import
them for seven seconds. Warnings are errors, and neither a folder nor a variable of the user is on
its path (`python -I -W error`).
"""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Self

LIBRARIES = ("peft", "torch", "transformers.models.auto.modeling_auto", "transformers.pipelines")


class BarePython:
    """The interpreter; `folder` holds what goes in and out of each program."""

    def __init__(self, folder: Path) -> None:
        self.streams = [folder / name for name in ("input", "output", "errors")]

    def __enter__(self) -> Self:
        self.server = subprocess.Popen(
            [sys.executable, "-I", "-W", "error", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        self.server.communicate()

    def run(
        self, program: str, *, cwd: Path | None = None, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in `cwd`; `text` is what it reads."""
        assert self.server.stdin
        assert self.server.stdout
        for stream, content in zip(self.streams, (text, "", ""), strict=True):
            stream.write_text(content, encoding="utf-8")
        call = [program, str(cwd or self.streams[0].parent), [str(path) for path in self.streams]]
        self.server.stdin.write(json.dumps(call) + "\n")
        self.server.stdin.flush()
        code = int(self.server.stdout.readline())
        _, output, errors = (path.read_text(encoding="utf-8") for path in self.streams)
        return subprocess.CompletedProcess(program, code, output, errors)


def serve() -> None:
    """Import the libraries, then fork for each program that comes in as a line of JSON."""
    for name in LIBRARIES:
        __import__(name)
    sys.modules["pipelines"] = None  # type: ignore[assignment]  # installed or not
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(*json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    os._exit(0)  # taking the libraries down takes as long as importing them


def _run(program: str, cwd: str, streams: list[str]) -> None:
    """Execute a program with streams of its own, and end."""
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR), number)
    os.chdir(cwd)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    names: dict[str, Any] = {"__name__": "__main__"}
    code = 0
    try:
        exec(compile(program, "<program>", "exec"), names)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
