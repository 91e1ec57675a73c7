"""The lines that a run prints, run in a process that has no Graft."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MAX_SECONDS = 900  # a model of billions of weights is loaded slowly from some disks
# what a process lacks for reasons that are no fault of the model
NO_MEMORY = ("MemoryError", "out of memory", "OutOfMemoryError", "not enough memory")
# variables that are not handed on: a launcher's, by which libraries would wait for other processes,
# and what turns warnings of libraries into errors
LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
UNSHARED = (*LAUNCHED, "PYTHONWARNINGS")
PROGRAM = """
import json, sys
sys.modules["pipelines"] = None  # to import Graft is an error
printed = []
for lines in json.load(sys.stdin):
    values = []
    exec(compile(lines, "lines", "exec"), {"print": lambda *shown: values.extend(shown)})
    printed.append(values)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(printed, file, default=lambda value: value.tolist())
"""


class NotRunError(Exception):
    """The lines were not run to their end, which says nothing about the model."""


class LinesError(Exception):
    """The lines end in an exception."""


def run(lines: Sequence[str], answers: Path) -> list[list[Any]]:
    """Run programs one after the other in one new process; returns what each printed.

    Args:
        answers: a file to write.

    Raises:
        NotRunError: there is no interpreter, time or memory for them.
        LinesError: one of them ends in an exception.
    """
    # -P: no module is taken from the folder that the run was started in
    command = [sys.executable, "-P", "-c", PROGRAM, str(answers)]
    environment = {name: value for name, value in os.environ.items() if name not in UNSHARED}
    try:
        done = subprocess.run(
            command,
            env=environment,
            input=json.dumps(list(lines)),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=MAX_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NotRunError(f"{type(error).__name__}: {error}") from error
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode < 0 or any(word in last for word in NO_MEMORY):
        raise NotRunError(last if done.returncode > 0 else f"signal {-done.returncode} ended them")
    if done.returncode:
        raise LinesError(last)
    printed: list[list[Any]] = json.loads(answers.read_text(encoding="utf-8"))
    return printed
