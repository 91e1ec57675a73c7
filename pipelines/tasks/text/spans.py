"""Answers that are spans: characters of a context <-> tokens of a window on it.

`offsets` are the (tokens, 2) characters at which the tokens of a window start and end. Those of the
question and of special tokens are (0, 0), so that they contain no part of an answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

FORM = "{text: […], answer_start: […]}"


def accepted_answers(answers: Any) -> list[tuple[str, int]]:
    """Parse SQuAD's answers, or a list of such, as (text, its first character) each.

    No answer, or null, means that the question is unanswerable.

    Raises:
        ValueError: they have another form.
    """
    if answers is None:
        return []
    if isinstance(answers, list):
        return [pair for each in answers for pair in accepted_answers(each)]
    fields = answers if isinstance(answers, Mapping) else {}
    texts, starts = fields.get("text"), fields.get("answer_start")
    if isinstance(texts, str):
        texts, starts = [texts], [starts]
    if not (isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts)):
        raise ValueError(f"answers is {answers!r}; expected {FORM}, or a list of such")
    return [(text, start) for text, start in zip(texts, starts, strict=True) if text != ""]


def misplacement(context: str, text: Any, start: Any) -> str | None:
    """Describe why an answer does not stand at character `start`; None where it does."""
    if not isinstance(text, str) or not isinstance(start, int) or start < 0:
        return f"answer {text!r} starts at {start!r}; expected a string and a character's number"
    actual = context[start : start + len(text)]
    if actual == text:
        return None
    position = context.find(text)
    place = f"it stands at {position}" if position >= 0 else "it is not in the context"
    return f"expected answer {text!r} at character {start} of context, found {actual!r}; {place}"


def context_offsets(encoded: Any, row: int) -> np.ndarray:
    """Return the (tokens, 2) int32 offsets of window `row`; the context is its second text."""
    pairs = zip(encoded["offset_mapping"][row], encoded.sequence_ids(row), strict=True)
    return np.array([pair if side == 1 else (0, 0) for pair, side in pairs], dtype="int32")


def token_span(offsets: np.ndarray, answers: Any) -> tuple[int, int]:
    """Return the first and last token of the first accepted answer.

    (0, 0), the window's first token, stands for no answer: there is none, or the window does not
    hold all of it.
    """
    for text, start in accepted_answers(answers)[:1]:
        # white space around an answer belongs to no token of it
        end = start + len(text.rstrip())
        start += len(text) - len(text.lstrip())
        inside = offsets[:, 1] > offsets[:, 0]
        touched = np.flatnonzero(inside & (offsets[:, 1] > start) & (offsets[:, 0] < end))
        # the whole window is compared, since a tokenizer may leave out an answer's first characters
        if touched.size and offsets[inside][0, 0] <= start and offsets[inside][-1, 1] >= end:
            return int(touched[0]), int(touched[-1])
    return 0, 0


class WindowAnswer(NamedTuple):
    """The best span of one window of an example; scores are sums of two logits.

    Attributes:
        null_score: the score of no answer.
        start: the first character of the text in the context.
    """

    text: str
    score: float
    null_score: float
    start: int = 0


def best_span(
    context: str,
    offsets: np.ndarray,
    start_logits: np.ndarray,
    end_logits: np.ndarray,
    max_length: int,
) -> WindowAnswer:
    """Find a window's best span of at most `max_length` tokens.

    Its score is the start logit of its first token plus the end logit of its last. All spans are
    compared; the scripts of BERT (arXiv 1810.04805) look among the 20 best starts and ends only. A
    window without context gives an empty span that scores -inf.

    Args:
        offsets: (tokens, 2), as `context_offsets` gives them.
        start_logits: (tokens,), as `end_logits`.
    """
    inside = offsets[:, 1] > offsets[:, 0]
    starts = np.where(inside, start_logits, -np.inf)
    ends = np.where(inside, end_logits, -np.inf)
    padding = np.full(max_length - 1, -np.inf)
    # (tokens, max_length): the end logits of a token and of those that follow it
    following = np.lib.stride_tricks.sliding_window_view(np.append(ends, padding), max_length)
    scores = starts[:, None] + following
    first, more = np.unravel_index(scores.argmax(), scores.shape)
    text = context[offsets[first, 0] : offsets[first + more, 1]]
    null_score = float(start_logits[0] + end_logits[0])
    # some tokenizers count the space before a word as part of it
    start = int(offsets[first, 0]) + len(text) - len(text.lstrip())
    return WindowAnswer(text.strip(), float(scores[first, more]), null_score, start)


def choose_answer(
    windows: Sequence[WindowAnswer], null_threshold: float | None
) -> WindowAnswer | None:
    """Return the best span of all windows on a context, or None for no answer.

    No answer has to lead by more than `null_threshold`; None: there always is an answer.
    """
    best = max(windows, key=lambda window: window.score)
    # the lowest score counts: a window without the answer is sure of none, whatever others hold
    lead = min(window.null_score for window in windows) - best.score
    return None if null_threshold is not None and lead > null_threshold else best
