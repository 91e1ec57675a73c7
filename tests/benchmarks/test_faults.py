"""`benchmarks/faults.py`, a small part: a few runs are stopped, and go on to the same bits."""

import json
import subprocess
from pathlib import Path

import pytest
from warm_python import WarmPython

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_a_few_runs_go_on(tmp_path: Path, python_offline: WarmPython) -> None:
    results = tmp_path / "faults.jsonl"
    options = ["--count", "2", "--job", "run/text/full", "--seed", "0"]
    done = subprocess.run(
        [python_offline.path, BENCHMARKS / "faults.py", results, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [line for line in lines if not (line["recovered"] and line["bit_equal"])] == []
    assert "| kills | 2 | 2 | 2 | 0 |" in done.stdout
    assert len(lines) == 8
