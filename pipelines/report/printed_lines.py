"""The lines that a run prints, run as its users will run them, on raw examples.

rows  -> text in Python, or a file      -> the printed lines with that example
lines -> a process that has no Graft    -> labels and probabilities, as printed
      -> beside what the saved model gives here, each example alone
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.core.labels import HALF, MULTI, REGRESSION, Labels
from pipelines.report import printed_process
from pipelines.report.evidence import Evidence
from pipelines.report.saved_model_checks import PrintedLines
from pipelines.report.usage import SENTENCES, usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from datasets import Dataset

    from pipelines.tasks import ModelOutputs

NUM_EXAMPLES = 3  # each loads the model anew, as the lines say
# A user's process may compute in another precision, or on another device: bfloat16 has 8 bits.
# Another head, another preprocessing or labels in another order differ by far more.
TOLERANCE = 0.01
SUFFIXES = {"image": ".png", "audio": ".wav"}  # readers look at the content

Answer = dict[str, float]  # label -> probability; of a number "" -> the number


def check(
    evidence: Evidence, folder: Path, rows: "Dataset", predict: "Callable[[Dataset], ModelOutputs]"
) -> PrintedLines | None:
    """Run the printed lines on the first examples, and compare what they print.

    Args:
        folder: the saved model, as the lines name it.
        rows: raw examples.
        predict: the saved model, loaded in this process.

    Returns:
        None where nothing can be compared: the task has no classes or numbers for an example, or
        the process could not be started or ran out of memory or time, which is printed; and on all
        processes but the main one, which tries the lines.
    """
    if evidence.task.prediction_unit != "example":
        return None
    with tempfile.TemporaryDirectory(prefix="graft-") as temporary:
        examples = _examples(evidence, rows, Path(temporary))
        lines = [usage(evidence, folder.as_posix(), example) for example in examples.values()]
        # a pass is made by all processes, also over a single row
        expected = [_outputs(predict, rows, row) for row in examples]
        if not lines or not processes.is_main():
            return None
        try:
            printed = printed_process.run(lines, Path(temporary) / "printed.json")
        except printed_process.NotRunError as reason:
            say(f"the lines below were not tried: {reason}")
            return None
        except printed_process.LinesError as error:
            return PrintedLines(len(lines), float("inf"), str(error))
    differences = [
        _difference(_answer(values), logits, evidence.labels)
        for values, logits in zip(printed, expected, strict=True)
    ]
    largest = max(differences)
    problem = "" if largest <= TOLERANCE else "they print other labels, probabilities or numbers"
    return PrintedLines(len(lines), largest, problem)


def _examples(evidence: Evidence, rows: "Dataset", folder: Path) -> dict[int, str]:
    """Write the first examples as Python: row -> text, or the path of a file."""
    modality = evidence.task.modality
    first = range(min(NUM_EXAMPLES, len(rows)))
    if modality != "text":
        files = _files(rows.select(first), modality, folder)
        return {row: repr(path) for row, path in files.items()}
    if not evidence.pair:
        return {row: repr(rows[row]["text"]) for row in first}
    pairs = {row: (rows[row]["text"], rows[row]["text_pair"]) for row in first}
    if evidence.library in SENTENCES:
        return {row: repr(pair) for row, pair in pairs.items()}
    return {row: repr({"text": a, "text_pair": b}) for row, (a, b) in pairs.items()}


def _files(rows: "Dataset", modality: str, folder: Path) -> dict[int, str]:
    """Find the files of images or sounds, and write those that are stored in the data."""
    import datasets

    column = {"image": datasets.Image, "audio": datasets.Audio}[modality](decode=False)
    files = rows.select_columns([modality]).cast_column(modality, column)[:][modality]
    paths = {}
    for row, file in enumerate(files):
        path = file["path"] or ""
        if file["bytes"] is not None:
            path = str(folder / f"{row}{SUFFIXES[modality]}")
            Path(path).write_bytes(file["bytes"])
        # of more than 8 bits, `pipeline()` reads another image; the card says what to do
        if modality == "audio" or not _is_deep(path):
            paths[row] = path
    return paths


def _is_deep(path: str) -> bool:
    from PIL import Image

    from pipelines.tasks.image import depth

    with Image.open(path) as image:
        return depth.numbers(image.mode) is not None


def _answer(values: list[Any]) -> Answer:
    """Read what was printed: a label and its score, or numbers by label, or a pipeline's list."""
    if len(values) == 2:
        label, score = values
        return {label: score}
    (value,) = values
    if isinstance(value, dict) and not isinstance(value.get("label"), str):
        return value
    if not isinstance(value, dict | list):
        return {"": value}
    # of a pair a single entry, of a text a list, or that in another one
    entries = [value] if isinstance(value, dict) else value
    entries = entries[0] if entries and isinstance(entries[0], list) else entries
    return {entry["label"]: entry["score"] for entry in entries}


def _outputs(predict: "Callable[[Dataset], ModelOutputs]", rows: "Dataset", row: int) -> np.ndarray:
    """Return the logits of an example that is a batch of its own."""
    return np.asarray(predict(rows.select([row]))["logits"][0], np.float64)


def _difference(answer: Answer, logits: np.ndarray, labels: Labels) -> float:
    """Return the largest difference to the scores of a row of logits; infinity for other labels."""
    from scipy.special import expit, softmax

    if labels.problem_type == REGRESSION:
        (number,) = answer.values()
        # numbers have any size; probabilities do not
        return abs(number - logits[0]) / max(1.0, abs(logits[0]))
    is_multi = labels.problem_type == MULTI
    expected = dict(zip(labels.names, (expit if is_multi else softmax)(logits), strict=True))
    if not answer.keys() <= expected.keys():
        return float("inf")
    # a label that is missing has to be one that is not printed: its threshold is out of reach
    limits = _limits(expected, labels)
    missing = [max(0.0, expected[name] - limits[name]) for name in expected.keys() - answer.keys()]
    return max([*missing, *(abs(score - expected[name]) for name, score in answer.items())])


def _limits(expected: Answer, labels: Labels) -> Answer:
    """Return the score up to which each label may be missing in what is printed."""
    if labels.problem_type == MULTI:
        thresholds = labels.thresholds or (HALF,) * len(labels.names)
        return dict(zip(labels.names, thresholds, strict=True))
    # of one label at least the most probable one is printed
    *_, second, first = [0.0, *sorted(expected.values())]
    return {name: second if score == first else 1.0 for name, score in expected.items()}
