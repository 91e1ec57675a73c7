"""Questions and contexts -> windows of tokens, batches of them, and the answers of all windows."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from pipelines.tasks import Batch, ModelOutputs
from pipelines.tasks.encoding.columns import take_columns
from pipelines.tasks.text import spans
from pipelines.tasks.text.padding import Padding

LOGITS = ("start_logits", "end_logits")
POSITIONS = ("start_positions", "end_positions")


def encode_windows(batch: dict[str, list[Any]], processor: Any, stride: int) -> dict[str, Any]:
    """Encode examples in windows that overlap by `stride` tokens, one row for each.

    Beside token ids and `POSITIONS`, a row holds what predictions are made of: the number of its
    example, the context and the flat offsets.
    """
    windows = processor(
        batch["question"],
        batch["context"],
        truncation="only_second",  # every window holds the whole question
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_attention_mask=False,
    )
    source = windows.pop("overflow_to_sample_mapping")
    offsets = [spans.context_offsets(windows, row) for row in range(len(source))]
    answers = [batch["answers"][i] for i in source]
    positions = np.array(list(map(spans.token_span, offsets, answers)))
    return {
        **windows,
        **dict(zip(POSITIONS, positions.T, strict=True)),
        "example": [batch["example"][i] for i in source],
        "context": [batch["context"][i] for i in source],
        "offset_mapping": [pairs.ravel() for pairs in offsets],
    }


@dataclass(frozen=True)
class WindowCollator:
    """Pads windows and moves the positions of the answers along with the tokens."""

    pad: Padding

    def __call__(self, rows: Any) -> Batch:
        """Return (rows, tokens) inputs and (rows,) positions, int64."""
        import torch

        batch = self.pad(rows)
        # positions count from the first token that is no padding, which may stand on the left
        first = batch["attention_mask"].argmax(1)
        positions = take_columns(rows, POSITIONS)
        return batch | {name: first + torch.from_numpy(positions[name]) for name in POSITIONS}


def best_spans(
    outputs: ModelOutputs, rows: Any, max_length: int, null_threshold: float | None
) -> list[spans.WindowAnswer | None]:
    """Choose the answer of each example among the best spans of its windows; None for no answer.

    Args:
        outputs: `LOGITS`, (tokens,) for each window.
        rows: the encoded windows, those of an example one after the other.
        max_length: tokens of the longest answer.
        null_threshold: by how many logits no answer has to lead; None: there always is an answer.
    """
    answers = []
    # windows of an example stand next to each other, which is all that groupby needs
    for _, group in groupby(_window_answers(outputs, rows, max_length), itemgetter(0)):
        windows = [window for _, window in group]
        answers.append(spans.choose_answer(windows, null_threshold))
    return answers


def _window_answers(
    outputs: ModelOutputs, rows: Any, max_length: int
) -> Iterator[tuple[int, spans.WindowAnswer]]:
    """Yield (example, best span) for each window."""
    columns = rows["example"][:], rows["context"][:], rows.lists("offset_mapping")
    logits = (outputs[name] for name in LOGITS)
    for example, context, flat, starts, ends in zip(*columns, *logits, strict=True):
        offsets = flat.reshape(-1, 2)
        yield example, spans.best_span(context, offsets, starts, ends, max_length)
