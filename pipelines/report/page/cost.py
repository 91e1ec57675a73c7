"""What the run took: time, weights, hardware."""

from typing import Any

from pipelines.core.console import duration
from pipelines.report.evidence import is_number
from pipelines.report.page import wording
from pipelines.report.page.run_files import RunFiles

TITLE = "Time and memory"
BYTES_PER_WEIGHT = 4  # as float32, in which models are saved
MIB = 2**20


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return facts as pairs of a name and a text."""
    training, hardware = files.metrics.get("training") or {}, files.lock.get("hardware") or {}
    facts = {
        "training": duration(training["seconds"]) if is_number(training.get("seconds")) else "",
        "waiting for data": wording.percent(training.get("waiting_for_data")),
        "examples per second": _throughput(files),
        "steps": wording.count(max((e.get("step", 0) for e in files.history), default=0) or None),
        "trained parameters": _trained(training),
        "weights in memory": _memory(training),
        "processes": wording.count(files.lock.get("num_processes")),
        "hardware": _hardware(hardware),
    }
    shown = {name: text for name, text in facts.items() if text and text != wording.NONE}
    return {"facts": shown} if shown else None


def _throughput(files: RunFiles) -> str:
    key = "train_samples_per_second"
    rates = [entry[key] for entry in files.history if is_number(entry.get(key))]
    return f"{rates[-1]:,.1f}" if rates else ""


def _trained(training: dict[str, Any]) -> str:
    trained, total = training.get("trainable_parameters"), training.get("parameters")
    if not isinstance(trained, int) or not isinstance(total, int) or not total:
        return ""
    return f"{trained:,} of {total:,} ({trained / total:.2%})"


def _memory(training: dict[str, Any]) -> str:
    total = training.get("parameters")
    if not isinstance(total, int):
        return ""
    return f"{total * BYTES_PER_WEIGHT / MIB:,.0f} MiB as float32"


def _hardware(hardware: dict[str, Any]) -> str:
    gpus = [f"{count} x {name}" for name, count in (hardware.get("gpus") or {}).items()]
    cpu = f"{hardware['cores']} cores of {hardware['cpu']}" if "cpu" in hardware else ""
    return wording.plain(", ".join(gpus) or cpu, 200)
