"""Processes for the arms of `gpu.py`: one for each, with a limit on its time, cut off from the Hub.

Importing the libraries takes longer than many an arm. Where there are cores for it, the process of
the next arm imports them while this one runs, and then waits for its turn.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

ARMS = Path(__file__).with_name("gpu_arms.py")
ROOT = ARMS.parent.parent
GRACE = 5.0  # seconds between SIGTERM and SIGKILL


class ArmError(Exception):
    """An arm ended in an error, or took too long."""


class Processes:
    """Runs one arm after the other.

    Args:
        folder: for caches, which arms share, and for what they print.
        ahead: start the next process before it is needed.
    """

    def __init__(self, folder: Path, *, ahead: bool) -> None:
        self._ahead = ahead
        self._logs = folder
        self._environment = {
            **os.environ,
            "GRAFT_CACHE": str(folder / "cache"),
            "HF_HOME": str(folder / "huggingface"),
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "TOKENIZERS_PARALLELISM": "false",
        }
        self._num_started = 0
        self._next: tuple[subprocess.Popen[str], Path] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._next is not None:
            _end(self._next[0])

    def run(self, arm: str, options: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Run a function of gpu_arms.py.

        Raises:
            ArmError: it took longer than `seconds`, or ended in an error.
        """
        process, log = self._next or self._start()
        self._next = self._start() if self._ahead else None
        try:
            request = json.dumps([arm, options]) + "\n"
            output, _ = process.communicate(request, timeout=max(1.0, seconds))
        except subprocess.TimeoutExpired:
            raise ArmError(f"ended after {seconds:.0f} s") from None
        finally:
            _end(process)
        if process.returncode:
            text = log.read_text(encoding="utf-8", errors="replace")
            lines = [line for line in text.splitlines() if line.strip()]
            raise ArmError(lines[-1][:300] if lines else f"exit code {process.returncode}")
        result: dict[str, Any] = json.loads(output.splitlines()[-1])
        return result

    def _start(self) -> tuple["subprocess.Popen[str]", Path]:
        self._num_started += 1
        log = self._logs / f"arm-{self._num_started}.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, str(ARMS)],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # its loaders' workers end with it
            )
        return process, log


def _end(process: "subprocess.Popen[str]") -> None:
    """End a process and whatever it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
