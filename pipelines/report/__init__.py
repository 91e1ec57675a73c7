"""The evidence, written down: for programs in the run folder, for people as a short text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.report import confidence, curve, predictions, reliability, strict_json
from pipelines.report.evidence import Evidence
from pipelines.report.run_folder import RunFolder, writing

if TYPE_CHECKING:
    from pipelines.data import Data
    from pipelines.data.findings import Findings

MIB = 2**20


def write(folder: RunFolder, evidence: Evidence) -> None:
    """Predictions, history, pictures and, last of all, metrics.json: the run is done.

    Raises:
        RunError: the folder cannot be written.
    """
    with writing(folder.path):
        folder.predictions.mkdir(exist_ok=True)
        found = evidence.calibration
        least = found.sets.threshold if found and found.sets else None
        for split, predicted in evidence.predictions.items():
            path = folder.predictions / f"{split}.csv"
            predictions.write(path, predicted, evidence.labels, least)
        strict_json.write_lines(folder.history, evidence.history)
        if evidence.history:
            curve.draw(folder.curve, evidence)
        if found:
            reliability.draw(folder.reliability, found)
        strict_json.write(folder.metrics, _metrics(evidence))


def write_data(folder: RunFolder, data: "Data", found: "Findings") -> None:
    """data.json: what was decided and found out about the data, and the rows that were left out.

    Raises:
        RunError: the folder cannot be written.
    """
    left_out = [{"split": bad.part, "row": bad.row, "why": bad.why} for bad in data.left_out]
    content = {**found.json(), "notes": data.notes, "left_out": left_out}
    with writing(folder.path):
        strict_json.write(folder.data, content)


def _metrics(evidence: Evidence) -> dict[str, Any]:
    return {
        "task": evidence.task.name,
        "strategy": evidence.strategy,
        "reason": evidence.reason,
        "examples": evidence.examples,
        "main_metric": evidence.main_metric,
        "validation": evidence.validation,
        "test": evidence.test,
        "baseline": evidence.baseline,
        "calibration": evidence.calibration.json() if evidence.calibration else None,
        "training": {
            "seconds": round(evidence.seconds, 3),
            "waiting_for_data": evidence.waited,
            "trainable_parameters": evidence.trainable,
            "parameters": evidence.parameters,
            "chosen": evidence.chosen,
        },
        "parity": vars(evidence.parity) if evidence.parity else None,
    }


def summary(folder: RunFolder, evidence: Evidence) -> str:
    """What was trained, how good it is, where it lies and how to use it."""
    model = folder.model.as_posix()
    share = evidence.trainable / evidence.parameters
    return "\n".join(
        [
            f"{evidence.task.name} on {evidence.checkpoint}, strategy {evidence.strategy}",
            *([f"chosen because {evidence.reason}"] if evidence.reason else ()),
            f"trained {evidence.trainable:,} of {evidence.parameters:,} parameters ({share:.2%}) "
            f"in {evidence.seconds:.1f} s{_waited(evidence)}",
            "",
            *aligned(list(evidence.table())),
            "",
            *(confidence.lines(evidence.calibration) if evidence.calibration else ()),
            f"reload parity: {evidence.parity or 'not checked'}",
            f"model: {model}",
            *_adapter(folder, evidence),
            "",
            evidence.usage(model),
        ]
    )


def _adapter(folder: RunFolder, evidence: Evidence) -> Iterator[str]:
    """What is in the folder if it is not a whole model."""
    if evidence.library == "peft":
        size = sum(file.stat().st_size for file in folder.model.glob("*.safetensors"))
        yield f"an adapter of {size / MIB:,.1f} MiB, for {evidence.checkpoint}"


def _waited(evidence: Evidence) -> str:
    if evidence.waited is None:
        return ""
    return f", {evidence.waited:.1%} of it waiting for data"


def aligned(table: list[list[str]]) -> list[str]:
    """Names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table
    ]
