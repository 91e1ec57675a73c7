"""One input -> what the outputs of the page show, by the same code as `graft predict`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipelines.core.labels import CHOICE, MULTI, REGRESSION, TOKENS
from pipelines.workflow.demo.fields import CHOICES, Field
from pipelines.workflow.inference import given
from pipelines.workflow.inference.answered_rows import Tally
from pipelines.workflow.inference.answers import WITH_CLASSES, Wanted
from pipelines.workflow.inference.predict import predict_chunks
from pipelines.workflow.inference.sequences import ANSWERS

if TYPE_CHECKING:
    from pipelines.workflow.inference.predictor import Predictor

MAX_LABELS = 10  # that are shown with their probabilities
NOTHING = "none"
Row = dict[str, Any]
Span = tuple[str, str | None]  # a text, and its label


@dataclass(frozen=True)
class ShownOutput:
    """An output of the page.

    Attributes:
        kind: `probabilities` is label -> probability, or a text; `spans` a text in pieces; `times`
            a table of words with seconds.
        value: what is shown of an answered row.
        has_heading: whether the likeliest label is the answer.
    """

    title: str
    kind: Literal["probabilities", "text", "spans", "times"]
    value: Callable[[Row], Any]
    has_heading: bool = True


def wanted_of(predictor: "Predictor") -> Wanted:
    """Return what is predicted beside the answer: the likeliest labels, where there are some."""
    has_classes = predictor.labels.problem_type in WITH_CLASSES
    top_k = min(MAX_LABELS, predictor.labels.num_labels) if has_classes else 0
    return Wanted(top_k, predictor.set_threshold)


def predict(predictor: "Predictor", fields: Sequence[Field], values: Sequence[Any]) -> Row:
    """Predict one example: its columns as `graft predict` writes them.

    Args:
        values: one for each field; of images and sounds the path of a file.

    Raises:
        GraftError: the example cannot be predicted; says why.
    """
    columns: dict[str, list[Any]] = {}
    for field, value in zip(fields, values, strict=True):
        if field.role.startswith(CHOICES):
            columns.setdefault(CHOICES, [[]])[0].append(value)
        else:
            columns[field.role] = [value]
    roles = {f"data.columns.{role}": role for role in columns}
    inputs = given.read(columns, predictor, lambda _: None, overrides=roles)
    tally = Tally(len(inputs))
    rows: list[Row] = []
    for chunk in predict_chunks(predictor, inputs, wanted_of(predictor)):
        tally.add(chunk)
        rows += chunk.table.to_pylist()
    tally.check()
    return rows[0]


def outputs_of(predictor: "Predictor") -> list[ShownOutput]:
    """List the outputs of the page, as the task has answers."""
    kind = predictor.labels.problem_type
    if kind == REGRESSION:
        return [ShownOutput("number", "probabilities", lambda row: f"{row['prediction']:.6g}")]
    if kind == TOKENS:
        return [ShownOutput("tags", "spans", spans_of_words)]
    if kind in ANSWERS:
        answer = ShownOutput("answer", "text", lambda row: row["prediction"] or NOTHING)
        return [answer, ShownOutput("context", "spans", span_of_answer)]
    if kind not in WITH_CLASSES:
        transcript = ShownOutput("transcript", "text", lambda row: row["prediction"])
        return [transcript, ShownOutput("words, in seconds", "times", times_of_words)]
    outputs = [
        ShownOutput("probabilities", "probabilities", probabilities, has_heading=kind != MULTI)
    ]
    if kind == MULTI:
        outputs.insert(0, ShownOutput("labels", "text", lambda row: _joined(row["prediction"])))
    if kind == CHOICE:
        outputs.insert(0, ShownOutput("choice", "text", lambda row: row["choice"]))
    if predictor.set_threshold is not None and kind not in (MULTI, CHOICE):
        outputs.append(ShownOutput("prediction set", "text", lambda row: _joined(row["set"])))
    return outputs


def probabilities(row: Row) -> dict[str, float]:
    """Return label -> probability of the likeliest labels; two of one name have a number."""
    shown: dict[str, float] = {}
    for place in range(1, MAX_LABELS + 1):
        if f"prediction_{place}" in row:
            label = row[f"prediction_{place}"]
            shown[f"{label} ({place})" if label in shown else label] = row[f"probability_{place}"]
    return shown


def spans_of_words(row: Row) -> list[Span]:
    """Return the words of a text; entities, or else all words, with their labels."""
    words, tags = row["tokens"].split(), row["prediction"]
    if "entities" not in row:
        return _spaced([*zip(words, tags, strict=True)])
    spans: list[Span] = []
    end = 0
    for entity in row["entities"]:
        spans += [(word, None) for word in words[end : entity["first"]]]
        end = entity["end"]
        spans.append((" ".join(words[entity["first"] : end]), entity["label"]))
    return _spaced(spans + [(word, None) for word in words[end:]])


def span_of_answer(row: Row) -> list[Span]:
    """Return the context in pieces, of which the answer has a label; the page breaks between."""
    context, start, end = row["context"], row["start"], row["end"]
    if start is None:
        return _words(context)
    return [*_words(context[:start]), (context[start:end], "answer"), *_words(context[end:])]


def times_of_words(row: Row) -> list[list[Any]]:
    """Return each word with the seconds at which it starts and ends."""
    return [[word["word"], word["start"], word["end"]] for word in row["words"]]


def _words(text: str) -> list[Span]:
    """Split a text into words and what stands between them."""
    return [(piece, None) for piece in re.findall(r"\s+|\S+", text)]


def _spaced(spans: Sequence[Span]) -> list[Span]:
    """Put a space between words."""
    spaced: list[Span] = []
    for span in spans:
        spaced += [(" ", None), span]
    return spaced[1:]


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names) or NOTHING
