"""`benchmarks/faults.py`, a small part: a few runs are stopped, and go on to the same bits."""

import json
import subprocess
from pathlib import Path

import pytest
from warm_python import WarmPython

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# draws a disk and a memory that no run fits into: those of other seeds may or may not suffice, and
# what a run then does differs from time to time
SEED = 2


@pytest.mark.slow
def test_a_few_runs_go_on(tmp_path: Path, python_offline: WarmPython) -> None:
    results = tmp_path / "faults.jsonl"
    options = ["--count", "1", "--job", "run/text/full", "--seed", str(SEED)]
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
    assert "| kills | 1 | 1 | 1 | 0 |" in done.stdout
    events = {line["campaign"]: line["events"] for line in lines}
    assert set(events) == {"kills", "disks", "memory", "doubles"}
    # what a campaign draws, how the run ended by that, and how it went on
    for campaign, limit in (("disks", "4 KiB"), ("memory", "0.02 GB")):
        drawn, disturbed, *_, last = events[campaign]
        assert drawn.startswith(limit)
        assert disturbed.startswith("2: error: "), disturbed
        assert last.startswith("0: "), last
