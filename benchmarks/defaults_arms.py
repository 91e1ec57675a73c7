"""The arms of `defaults.py`: Graft's strategies by its command line, peers by a job in JSON.

Each run is a new process in an empty folder with empty caches.
"""

import csv
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import defaults_data as data_sets
import yaml
from defaults_data import MULTI, NUMBER, SINGLE
from defaults_peers import PEER_ARMS, PEERS, environment

from pipelines.core import registry

ROOT = Path(__file__).resolve().parent.parent
AUTO = "auto"
INCOMPLETE = ("peft",)  # strategies that have no default: they need more keys
STRATEGIES = tuple(
    sorted(set(registry.names("strategies")) - {*INCOMPLETE}, key=lambda name: (name != AUTO, name))
)
MAX_REASON = 160  # characters
STOPPED = (-signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM)
ARMS = (*STRATEGIES, *PEER_ARMS)


class NoResultError(Exception):
    """A run without predictions; the message says why."""


def title(arm: str) -> str:
    """Name an arm in a table."""
    return PEER_ARMS[arm].title if arm in PEER_ARMS else f"Graft `{arm}`"


def misfit(arm: str, name: str) -> str | None:
    """Say why an arm is not run on a data set; Graft refuses by itself what it cannot do."""
    data = data_sets.DATA[name]
    if data.checkpoint is None:
        return "no checkpoint for such data is at hand"
    return PEER_ARMS[arm].misfit(data) if arm in PEER_ARMS else None


@dataclass(frozen=True)
class Cell:
    """A data set and a folder with the rows of one draw, for all arms.

    Attributes:
        environments: where the peers' are, or will be made.
        minutes: after so many a run is ended.
    """

    name: str
    rows: Path
    checkpoint: Path
    names: tuple[str, ...]
    environments: Path
    minutes: float

    def run(self, arm: str, folder: Path) -> tuple[dict[str, Any], dict[str, float]]:
        """Run an arm in an empty folder: its predictions and confidence, and what it cost.

        The cost are seconds of the whole process, and CPU seconds, which other work on the machine
        lengthens less.

        Raises:
            NoResultError: it was refused, failed, or took too long.
        """
        if arm in PEER_ARMS:
            command = [*self.peer_command(arm, folder)]
        else:
            (folder / "recipe.yaml").write_text(self.recipe(arm), encoding="utf-8")
            command = [sys.executable, "-m", "pipelines.cli", "run", "recipe.yaml"]
        cost = _execute(command, folder, self.minutes)
        if arm in PEER_ARMS:
            return json.loads((folder / "answer.json").read_text(encoding="utf-8")), cost
        (run,) = folder.glob("runs/*/*")
        recipe = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))
        answer = self.read(run / "predictions" / "test.csv")
        return {**answer, "strategy": recipe["strategy"]["name"]}, cost

    def recipe(self, strategy: str) -> str:
        """Write what a user writes: JSON is YAML."""
        data = data_sets.DATA[self.name]
        sections = {
            "task": data.task,
            "model": str(self.checkpoint),
            "data": {"source": "files", "path": str(self.rows)},
            "strategy": strategy,
        }
        return json.dumps(sections, indent=1)

    def peer_command(self, arm: str, folder: Path) -> tuple[str, ...]:
        """Write the job of a peer and return the command that runs it."""
        data, peer = data_sets.DATA[self.name], PEER_ARMS[arm]
        job = {
            "arm": arm,
            "data": str(self.rows),
            "model": str(self.checkpoint),
            "task": data.task,
            "inputs": data.inputs,
            "label": data.label,
            "kind": data.kind,
            "num_labels": len(self.names),
            "answer": str(folder / "answer.json"),
        }
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        python = environment(arm, self.environments) if peer.packages else Path(sys.executable)
        return str(python), str(PEERS / peer.script), "job.json"

    def read(self, table: Path) -> dict[str, Any]:
        """Read Graft's predictions of test as labels by their numbers."""
        kind, number_of = data_sets.DATA[self.name].kind, self.names.index
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        written = [row["prediction"] for row in rows]
        if kind == NUMBER:
            return {"predictions": [float(text) for text in written], "confidence": None}
        if kind == SINGLE:
            sure = [float(row["probability"]) for row in rows]
            return {"predictions": [number_of(text) for text in written], "confidence": sure}
        separator = "|" if kind == MULTI else " "
        lists = [text.split(separator) if text else [] for text in written]
        return {"predictions": [[*map(number_of, names)] for names in lists], "confidence": None}


def _execute(command: list[str], folder: Path, minutes: float) -> dict[str, float]:
    """Run a command in its folder, with caches that are empty; return what it cost."""
    caches = {"GRAFT_CACHE": str(folder / "cache"), "HF_HOME": str(folder / "hub")}
    path = {"PYTHONPATH": str(ROOT)} if "pipelines.cli" in command else {}
    given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60 * minutes}
    started, before = time.monotonic(), _cpu_seconds()
    try:
        done = subprocess.run(
            command, cwd=folder, env={**given, **caches, **path, "HF_HUB_OFFLINE": "1"}, **options
        )
    except subprocess.TimeoutExpired:
        raise NoResultError(f"not done after {minutes:g} minutes") from None
    if done.returncode in STOPPED:
        raise KeyboardInterrupt  # whoever stopped the run meant the benchmark: no result
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        # folders differ from run to run, and the same reason should be one line of the table
        reason = re.sub(r"(/[\w.-]+)+/", "", lines[-1])
        raise NoResultError(
            f"{'refused' if done.returncode == 2 else 'failed'}: {reason[:MAX_REASON]}"
        )
    cost = {"seconds": time.monotonic() - started, "cpu": _cpu_seconds() - before}
    return {name: round(value, 1) for name, value in cost.items()}


def _cpu_seconds() -> float:
    """Count what ended children have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
