"""Predictions of parts of an example: tags and entities, spans of a context, words with times."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import tag_schemes
from pipelines.tasks.text.answerability import ANSWERABLE, PARTLY_ANSWERABLE
from pipelines.workflow.inference.predicted import Answers, Predicted

if TYPE_CHECKING:
    from pipelines.core.labels import Labels

ANSWERS = (ANSWERABLE, PARTLY_ANSWERABLE)
SPEECH = "speech_recognition"


def tags(predicted: Predicted) -> Answers:
    """Return the tag and the probability of each word, and entities where tags are of such.

    Of an entity: its words, its kind, the numbers of its first word and of the one behind its last,
    from 0, and the mean probability of its tags.
    """
    import pyarrow as pa

    words, numbers = pa.list_(pa.string()), pa.list_(pa.float64())
    probabilities = _by_word(predicted)
    columns = {
        "prediction": pa.array(predicted.predictions, words),
        "probability": pa.array(probabilities, numbers),
    }
    labels = predicted.labels
    if tag_schemes.are_entities(labels.names):
        pairs = zip(predicted.predictions, probabilities, strict=True)
        entities = [[*_entities(*pair, labels)] for pair in pairs]
        fields = {"label": pa.string(), "first": pa.int64(), "end": pa.int64()}
        kind = pa.struct({**fields, "probability": pa.float64()})
        columns["entities"] = pa.array(entities, pa.list_(kind))
    return columns


def _by_word(predicted: Predicted) -> list[list[float]]:
    """Return the probability of each word's tag, for each example."""
    from scipy.special import softmax

    values: list[list[float]] = [[] for _ in predicted.predictions]
    examples = predicted.encoded["example"][:]
    for example, logits in zip(examples, predicted.outputs["logits"], strict=True):
        if len(logits):
            values[example] += softmax(logits.astype(float), axis=-1).max(axis=-1).tolist()
    return values


def _entities(
    tags: list[str], probabilities: list[float], labels: "Labels"
) -> Iterator[dict[str, Any]]:
    from seqeval.metrics.sequence_labeling import get_entities

    tagging = tag_schemes.read(labels.names)
    spelled = {kind.casefold(): kind for kind in tagging.kinds}
    for kind, first, last in get_entities(tagging.in_iobes(tags)):
        mean = float(np.mean(probabilities[first : last + 1]))
        yield {
            "label": spelled.get(kind, kind),
            "first": first,
            "end": last + 1,
            "probability": mean,
        }


def spans(predicted: Predicted) -> Answers:
    """Return the answer of each question, and the characters of the context where it stands.

    No answer is "", and stands nowhere.
    """
    import pyarrow as pa

    task: Any = predicted.task
    chosen = task.answer_spans(predicted.outputs, predicted.encoded, predicted.labels)
    starts = [span and span.start for span in chosen]
    ends = [span and span.start + len(span.text) for span in chosen]
    return {
        "prediction": pa.array([span.text if span else "" for span in chosen], pa.string()),
        "start": pa.array(starts, pa.int64()),
        "end": pa.array(ends, pa.int64()),
    }


def transcripts(predicted: Predicted) -> Answers:
    """Return what was said in each clip, and for each word when it begins and ends, in seconds."""
    import pyarrow as pa

    rows, kind = (
        predicted.encoded,
        pa.struct({"word": pa.string(), "start": pa.float64(), "end": pa.float64()}),
    )
    words = []
    for logits, samples in zip(predicted.outputs["logits"], rows.samples, strict=True):
        seconds = samples / rows.rate / max(1, len(logits))  # of a frame
        words.append([*_words(logits, seconds, predicted.processor.tokenizer)])
    return {
        "prediction": pa.array(predicted.predictions, pa.string()),
        "words": pa.array(words, pa.list_(kind)),
    }


def _words(logits: np.ndarray, seconds: float, tokenizer: Any) -> Iterator[dict[str, Any]]:
    decoded = tokenizer.decode(logits.argmax(axis=-1).tolist(), output_word_offsets=True)
    for word in decoded.word_offsets:
        start, end = (round(word[place] * seconds, 3) for place in ("start_offset", "end_offset"))
        yield {"word": word["word"], "start": start, "end": end}
