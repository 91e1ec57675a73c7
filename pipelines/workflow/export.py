"""A finished run -> its model as ONNX, compared with the saved one on validation.

1. Run.open, prepare   folder                -> the run's validation rows, encoded
2. onnx_file.write     saved model, a batch  -> model.onnx
3. _compare            both, all batches     -> the largest difference, equal answers, seconds
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.console import busy, capture_stdout, say
from pipelines.core.disk import require_writable
from pipelines.core.errors import ModelError, RunError
from pipelines.core.labels import MULTI
from pipelines.models import forward
from pipelines.models.output import onnx_file
from pipelines.models.output.graph import Graph
from pipelines.models.output.reload import library_of
from pipelines.report.parity import RELATIVE_TOLERANCE, TOLERANCE
from pipelines.report.writing import writing
from pipelines.workflow.finished_run import Run
from pipelines.workflow.prepare import prepare

if TYPE_CHECKING:
    import torch

    from pipelines.workflow.prepared import Prepared

FILE, INT8_FILE = "model.onnx", "model_int8.onnx"
MAX_ROWS = 256  # that both models compute
ROWS_PER_BATCH = 32
NUM_TIMED = 3  # passes of each model, in turn; the fastest counts

Batch = dict[str, "torch.Tensor"]
Compute = Callable[[Mapping[str, Any]], "dict[str, np.ndarray]"]


@dataclass(frozen=True)
class Exported:
    """A file, and how it compares with the saved model.

    Attributes:
        rows: how many rows of validation were compared.
        difference: the largest one between two outputs.
        same: share of the answers that are the same: the largest output, or of several labels
            whether each is above a half; 1 for numbers.
        speed: how many times as fast as the saved model in torch.
        ok: whether outputs differ by no more than kernels do; of 8 bits they may.
    """

    path: Path
    rows: int
    difference: float
    same: float
    speed: float
    ok: bool

    def __str__(self) -> str:
        megabytes = self.path.stat().st_size / 1e6
        return (
            f"{self.path}: {megabytes:,.1f} MB; on {self.rows:,} rows of validation outputs differ "
            f"by at most {self.difference:.2g}, {self.same:.1%} of the answers are the same; "
            f"{self.speed:.2f} times as fast as torch here"
        )


def export(run: Run, to: Path | None = None, *, int8: bool = False) -> list[Exported]:
    """Write `onnx/model.onnx` into the run folder, or elsewhere; then compare it.

    Args:
        to: a folder; None for `onnx` in the run folder.
        int8: a second file with weights in 8 bits, too.

    Raises:
        ModelError: the model cannot be exported, the file predicts something else, or the run has
            several models.
        RunError: the folder cannot be written.
    """
    run.check_single_pass()
    onnx_file.check_installed()
    _check(run)
    folder = to or run.path / "onnx"
    for name in (FILE, *[INT8_FILE] * int8):
        require_writable(folder / name)
    say(f"export: reads validation of {run.folder}")
    with capture_stdout():  # which new weights were trained, and how long, is no news
        prepared = prepare(run.recipe, test=False)
    model = run.model().eval()
    batches = [*_batches(prepared)]
    graph = Graph.of(model, batches[0])
    several = prepared.data.labels.problem_type == MULTI
    decide = partial(decisions, several=several)
    batches = [graph.select(batch) for batch in batches]
    path = folder / FILE
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _step(f"writes {type(model).__name__} to {path}"):
            onnx_file.write(graph, batches[0], prepared.recipe.task.modality, path)
        exported = [_compare(graph, path, batches, decide)]
        if int8:
            with _step(f"writes weights in 8 bits to {folder / INT8_FILE}"):
                onnx_file.quantize(path, folder / INT8_FILE)
            exported.append(_compare(graph, folder / INT8_FILE, batches, decide))
    if not exported[0].ok:
        raise ModelError(f"{exported[0]}: do not use it, and please report the recipe")
    return exported


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Say what takes minutes on a busy machine, and show on a terminal that it is under way."""
    say(f"export: {what}")
    with busy(f"export: {what}"):
        yield


def _check(run: Run) -> None:
    """Refuse what has no graph of its own, before data are read."""
    if library_of(run.folder.model) == "peft":
        raise RunError(
            f"{run.folder}: saved as an adapter, without the model below it; train with "
            "strategy.save=merged"
        )
    task = run.recipe.task
    if not task.prediction_unit and task.target not in ("answers", "text"):
        raise RunError(
            f"{run.folder}: {task.name} writes texts word by word, which is no single pass; "
            "expected a task that classifies, gives numbers, or marks answers"
        )


def _batches(prepared: "Prepared") -> Iterator[Batch]:
    """Collate the first rows of validation, of two or more a batch."""
    rows = prepared.encoded["validation"]
    numbers = [*range(min(MAX_ROWS, len(rows)))]
    for start in range(0, len(numbers), ROWS_PER_BATCH):
        chosen = numbers[start : start + ROWS_PER_BATCH]
        if len(chosen) == 1:  # a last row alone
            chosen = numbers[max(start - 1, 0) : start + 1] * (1 if start else 2)
        yield forward.without_labels(prepared.collate(forward.take(rows, chosen)))


def decisions(logits: np.ndarray, *, several: bool) -> np.ndarray:
    """Return the answers that outputs (…, num_labels) give: one a row, or one a label."""
    return (logits > 0 if several else logits.argmax(-1)).ravel()


def _compare(
    graph: Graph, path: Path, batches: list[Batch], decide: Callable[[np.ndarray], np.ndarray]
) -> Exported:
    """Compute all batches by both, in turn."""
    import torch

    session = onnx_file.Session(path)

    def of_torch(batch: Mapping[str, Any]) -> "dict[str, np.ndarray]":
        with torch.inference_mode():
            outputs = graph(*batch.values())
        return dict(zip(graph.names, (each.numpy() for each in outputs), strict=True))

    with _step(f"compares {path} with the saved model, {NUM_TIMED} times each"):
        seconds: dict[str, list[float]] = {"torch": [], "onnx": []}
        for _ in range(NUM_TIMED):
            for name, compute in {"torch": of_torch, "onnx": session.run}.items():
                started = time.perf_counter()
                for batch in batches:
                    compute(batch)
                seconds[name].append(time.perf_counter() - started)
        pairs = [(of_torch(batch), session.run(batch)) for batch in batches]
    largest = max(float(np.abs(a[n] - b[n]).max()) for a, b in pairs for n in a)
    magnitude = max(float(np.abs(a[n]).max()) for a, _ in pairs for n in a)
    answers = [decide(a[n]) == decide(b[n]) for a, b in pairs for n in a]
    return Exported(
        path=path,
        rows=sum(len(next(iter(batch.values()))) for batch in batches),
        difference=largest,
        same=float(np.concatenate(answers).mean()),
        speed=min(seconds["torch"]) / min(seconds["onnx"]),
        ok=largest <= max(TOLERANCE, RELATIVE_TOLERANCE * magnitude),
    )
