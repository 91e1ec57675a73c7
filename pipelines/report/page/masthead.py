"""The head of the page: what was trained, and how good it is in a few numbers."""

from typing import Any

from pipelines.report.evidence import is_number
from pipelines.report.page import wording
from pipelines.report.page.run_files import RunFiles


def view(files: RunFiles) -> dict[str, Any]:
    """Collect names and the numbers that count."""
    metrics = files.metrics
    checkpoint = (files.lock.get("model") or {}).get("checkpoint")
    subtitle = [metrics.get("task"), checkpoint, metrics.get("strategy")]
    return {
        "name": wording.plain(files.name, 80),
        "address": files.address,
        "subtitle": [wording.plain(part, 100) for part in subtitle if part],
        "date": wording.plain(files.lock.get("date", ""), 30).replace("T", " ")[:16],
        "figures": _figures(files),
        "warnings": [_without_prefix(line) for line in metrics.get("warnings") or []],
        "is_wrong": _is_wrong(files),
    }


def _figures(files: RunFiles) -> list[dict[str, str]]:
    """Return the main score of the reported split, and what stands beside it."""
    metrics, main = files.metrics, files.metrics["main_metric"]
    name, split = wording.metric(main), files.split
    bounds = files.intervals(split).get(main)
    note = f"95 %: {wording.interval(bounds)}" if wording.interval(bounds) else ""
    figures = [
        {**_figure(f"{name} on {files.split_name}", metrics[split].get(main), note), "kind": "main"}
    ]
    if split == "test":
        figures.append(_figure("on validation", metrics["validation"].get(main)))
    baseline = (metrics.get("baseline") or {}).get(split) or {}
    figures.append(_figure("baseline", baseline.get(main), "does not look at the input"))
    for key in ("simple_model", "zero_shot"):
        other = metrics.get(key) or {}
        if is_number((other.get(split) or {}).get(main)):
            figures.append(_figure(wording.plain(other["name"], 40), other[split][main]))
    return [figure for figure in figures if figure["value"] != wording.NONE]


def _figure(name: str, value: Any, note: str = "") -> dict[str, str]:
    return {"name": name, "value": wording.score(value), "note": note, "kind": ""}


def _without_prefix(line: Any) -> str:
    text = wording.plain(line, 600).removeprefix("WARNING: ")
    return text[:1].upper() + text[1:]


def _is_wrong(files: RunFiles) -> str:
    """Say what is wrong with the saved model; empty where nothing is known to be."""
    parity, printed = (files.metrics.get(key) or {} for key in ("parity", "printed_lines"))
    if parity and not parity.get("ok"):
        return "Loaded again, the saved model does not predict what the trained one did."
    if printed.get("problem"):
        return f"The printed lines are wrong: {wording.plain(printed['problem'], 300)}"
    return ""
