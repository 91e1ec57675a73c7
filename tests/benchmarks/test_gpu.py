"""`benchmarks/gpu.py` in its small form, on a CPU: a card's first minutes find no bugs of it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from warm_python import WarmPython

GPU = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


def run(python: WarmPython, out: Path, *options: str) -> tuple[Any, dict[str, Any], str]:
    command = [python.path, GPU, out, "--small", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    results = json.loads((out / "gpu.json").read_text(encoding="utf-8"))
    assert done.stdout.strip() == (out / "gpu.md").read_text(encoding="utf-8").strip()
    return done, results, done.stdout


@pytest.mark.slow
def test_parts_run_on_a_cpu(tmp_path: Path, python_offline: WarmPython) -> None:
    parts = ("packing", "wav2vec2", "memory")
    done, results, table = run(python_offline, tmp_path / "out", *parts, "--rounds", "1")
    assert done.returncode == 0, done.stderr
    assert set(results["parts"]) == set(parts)
    assert results["not_run"] == {}
    for name, part in results["parts"].items():
        for arm, (line,) in part["arms"].items():
            # a machine may lack what an arm needs, and says so
            assert ("reason" in line) != ("whole" in line), (name, arm, line)
    # without dropout, packed and padded steps are the same up to rounding
    arms = results["parts"]["packing"]["arms"]
    padded, packed = arms["padded, float32"][0], arms["packed, float32"][0]
    assert packed["speed"]["packing"]
    assert not padded["speed"]["packing"]
    assert padded["loss"] == pytest.approx(packed["loss"], rel=1e-5)
    assert "Mean loss, float32: they differ by" in table


@pytest.mark.slow
def test_what_does_not_fit_into_the_time_is_named(
    tmp_path: Path, python_offline: WarmPython
) -> None:
    done, results, table = run(python_offline, tmp_path / "out", "vit", "long", "--minutes", "0.4")
    assert done.returncode == 0, done.stderr
    assert set(results["not_run"]) == {"vit", "long"}
    assert "Not run: " in table
