"""A finished run and inputs -> pictures of what each answer rests on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import startup
from pipelines.core.console import busy, printable, say
from pipelines.core.disk import require_writable
from pipelines.core.errors import DataError, RunError, suggest
from pipelines.core.labels import MULTI, PROBLEM_TYPES, REGRESSION
from pipelines.data.inputs import with_blank_targets
from pipelines.evaluation import attribution
from pipelines.evaluation.attribution import Attribution
from pipelines.evaluation.scores import probabilities
from pipelines.models import forward
from pipelines.models.output.graph import Graph
from pipelines.models.revision import encoder_folder
from pipelines.report import attribution_picture
from pipelines.report.writing import writing
from pipelines.workflow.finished_run import Run
from pipelines.workflow.inference import given, predictor

if TYPE_CHECKING:
    import torch

    from pipelines.workflow.inference.predictor import Predictor

MAX_INPUTS = 32  # that are explained: each takes some fifty passes
MAX_LETTERS_SHOWN = 20  # that no font has
NUM_SHOWN = 5  # tokens of a line in the terminal


@dataclass(frozen=True)
class Explained:
    """An answer, and what it rests on.

    Attributes:
        path: the picture.
        answer: the label with its probability, or the number.
        tokens: of a text, in its order; empty for pictures.
    """

    path: Path
    answer: str
    tokens: tuple[str, ...]
    attribution: Attribution

    def __str__(self) -> str:
        ranked = np.argsort(-np.abs(self.attribution.values.ravel()), kind="stable")
        shown = ", ".join(
            f"{printable(self.tokens[i])} {self.attribution.values[i]:+.3g}"
            for i in (ranked[:NUM_SHOWN] if self.tokens else ())
        )
        return f"{self.path}: {printable(self.answer)}{'; ' * bool(shown)}{shown}"


def explain(run: Run, inputs: Sequence[str], to: Path | None, label: str | None) -> list[Explained]:
    """Explain the answers to some inputs, each by a picture in `explanations` of the run's folder.

    Args:
        to: another folder for the pictures.
        label: the label to explain; None: the one that is predicted.

    Raises:
        DataError: inputs cannot be read, or are too many.
        ModelError: the run has several models.
        RunError: the run's task is another one, it has no such label, or the folder cannot be
            written.
    """
    run.check_single_pass()
    attribution.check_installed()
    folder = to or run.folder.explanations
    require_writable(folder / f"{_next_number(folder)}.png")
    startup.initialize({})
    opened = predictor.of_run(run.folder)
    task, labels = opened.task, opened.labels
    if labels.problem_type not in PROBLEM_TYPES or task.modality not in ("text", "image"):
        raise RunError(
            f"{run.folder}: {task.name} is not explained; expected texts or pictures that get "
            "labels or a number"
        )
    if label is not None and label not in labels.names:
        raise RunError(f"{run.folder}: no label '{label}'; {suggest(label, labels.names)}")
    read = given.read([*inputs], opened, say, are_words=True)
    if len(read) > MAX_INPUTS:
        raise DataError(f"input: {len(read):,} rows; expected at most {MAX_INPUTS} to explain")
    rows = with_blank_targets(read.examples, task)
    for row, reason in task.corrupt_rows(rows):
        raise DataError(f"input: row {row}: {reason}; leave it out")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return [*_explained(run, opened, rows, folder, label)]


def _explained(
    run: Run, opened: "Predictor", rows: Any, folder: Path, label: str | None
) -> Iterator[Explained]:
    """Explain one row after the other."""
    task, labels = opened.task, opened.labels.unlabeled
    encoder = str(encoder_folder(run.folder.model))
    # those of a sentence encoder are inside of what predicts with it
    processor = opened.processor or task.load_processor(encoder, labels)
    encoded, collate = task.encode(rows, processor, labels), task.collator(processor)
    model = (opened.loaded.model if opened.loaded else run.model()).float().cpu().eval()
    first = _next_number(folder)
    for number in range(len(encoded)):
        batch = forward.without_labels(collate(forward.take(encoded, [number])))
        graph = Graph.of(model, batch)
        batch, path = graph.select(batch), folder / f"{first + number}.png"
        column, answer = _answer(opened, graph, batch, label)
        explain = _text if task.modality == "text" else _image
        with busy(f"explaining input {number + 1} of {len(encoded)}"):
            tokens, attributed = explain(graph, batch, column, processor, path, answer)
        yield Explained(path, answer, tokens, attributed)


def _next_number(folder: Path) -> int:
    """Return the number of the next picture: earlier ones stay."""
    numbers = (int(path.stem) for path in folder.glob("*.png") if path.stem.isdecimal())
    return max(numbers, default=0) + 1


def _image(
    graph: Graph, batch: dict[str, Any], column: int, _: Any, path: Path, title: str
) -> tuple[tuple[str, ...], Attribution]:
    """Explain the answer to a picture."""
    (pixels,) = batch.values()
    attributed = attribution.of_pixels(lambda rows: graph(rows)[0][:, column], pixels)
    _note_missing(attribution_picture.draw_pixels(path, title, _shown(pixels), attributed.values))
    return (), attributed


def _text(
    graph: Graph, batch: dict[str, Any], column: int, processor: Any, path: Path, title: str
) -> tuple[tuple[str, ...], Attribution]:
    """Explain the answer to a text."""
    attributed = _of_text(graph, batch, column, processor)
    tokens = tuple(processor.decode([token]).strip() or "·" for token in batch["input_ids"][0])
    _note_missing(attribution_picture.draw_tokens(path, title, tokens, attributed.values))
    return tokens, attributed


def _note_missing(letters: str) -> None:
    if letters:
        say(
            f"no font of this machine has {printable(letters, MAX_LETTERS_SHOWN)}: drawn as boxes; "
            "install one that has, such as Noto"
        )


def _answer(
    opened: "Predictor", graph: Graph, batch: dict[str, Any], label: str | None
) -> tuple[int, str]:
    """Return the column of the logits to explain, and the answer in words."""
    import torch

    with torch.inference_mode():
        logits = np.asarray(graph(*batch.values())[0])
    labels = opened.labels
    if labels.problem_type == REGRESSION:
        return 0, f"{logits[0, 0]:.4g}"
    shares = probabilities(logits, labels.problem_type)[0]
    column = int(shares.argmax()) if label is None else labels.names.index(label)
    kind = "of several " if labels.problem_type == MULTI else ""
    return column, f"{labels.names[column]} ({kind}probability {shares[column]:.3f})"


def _of_text(graph: Graph, batch: dict[str, Any], column: int, processor: Any) -> Attribution:
    """Attribute to tokens, beside a text of padding between the same special tokens."""
    from transformers import PreTrainedModel

    encoder = next(m for m in graph.model.modules() if isinstance(m, PreTrainedModel))
    ids = batch["input_ids"]
    empty = processor.pad_token_id if processor.pad_token_id is not None else 0
    special = processor.get_special_tokens_mask(ids[0].tolist(), already_has_special_tokens=True)
    blank = ids.where(ids.new_tensor(special).bool(), empty)
    names = [name for name in batch if name != "input_ids"]

    def output(ids: "torch.Tensor", *others: "torch.Tensor") -> "torch.Tensor":
        named = {"input_ids": ids, **dict(zip(names, others, strict=True))}
        return graph(*graph.select(named).values())[0][:, column]

    others = tuple(batch[name] for name in names)
    return attribution.of_tokens(output, encoder.get_input_embeddings(), ids, blank, others)


def _shown(pixels: Any) -> np.ndarray:
    """Bring pixels as the model sees them back between 0 and 1: (height, width, 3)."""
    image = np.moveaxis(np.asarray(pixels[0], float), 0, -1)
    low, high = image.min(), image.max()
    scaled = (image - low) / (high - low or 1.0)
    return np.repeat(scaled, 3, axis=-1) if scaled.shape[-1] == 1 else scaled
