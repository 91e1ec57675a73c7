"""What the run took: time, weights, hardware."""

from typing import Any

from pipelines.core.console import duration
from pipelines.core.energy import watt_hours
from pipelines.report.evidence import is_number
from pipelines.report.page import wording
from pipelines.report.page.run_files import RunFiles

TITLE = "Time and memory"
GIB = 2**30


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return facts as pairs of a name and a text."""
    training, hardware = files.metrics.get("training") or {}, files.lock.get("hardware") or {}
    facts = {
        "training": duration(training["seconds"]) if is_number(training.get("seconds")) else "",
        "waiting for data": wording.percent(training.get("waiting_for_data")),
        "examples per second": _throughput(files),
        "steps": wording.count(max((e.get("step", 0) for e in files.history), default=0) or None),
        "trained parameters": _trained(training),
        "most memory in use": _memory(training),
        "energy": _energy(training),
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
    num_bytes = training.get("peak_memory_bytes")
    return f"{num_bytes / GIB:,.2f} GiB" if isinstance(num_bytes, int) else ""


def _energy(training: dict[str, Any]) -> str:
    joules = training.get("energy_joules")
    return watt_hours(joules) if joules is not None and is_number(joules) else ""


def _hardware(hardware: dict[str, Any]) -> str:
    gpus = [f"{count} x {name}" for name, count in (hardware.get("gpus") or {}).items()]
    cpu = f"{hardware['cores']} cores of {hardware['cpu']}" if "cpu" in hardware else ""
    return wording.plain(", ".join(gpus) or cpu, 200)
