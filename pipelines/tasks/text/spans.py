"""Answers that are spans: characters of a context <-> tokens of a window on it.

`offsets` are the (tokens, 2) characters at which the tokens of a window start and end; those of
the question and of special tokens are (0, 0): nothing can be answered with them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

FORM = "{text: […], answer_start: […]}"


def accepted(answers: Any) -> list[tuple[str, int]]:
    """SQuAD's answers, or a list of such -> (text, its first character) each; none: unanswerable.

    Raises:
        ValueError: they have another form.
    """
    if isinstance(answers, list):
        return [pair for each in answers for pair in accepted(each)]
    texts, starts = (
        answers.get(key) if isinstance(answers, Mapping) else None
        for key in ("text", "answer_start")
    )
    if isinstance(texts, str):
        texts, starts = [texts], [starts]
    if not (isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts)):
        raise ValueError(f"answers is {answers!r}; expected {FORM}, or a list of such")
    return [(text, start) for text, start in zip(texts, starts, strict=True) if text != ""]


def misplaced(context: str, text: Any, start: Any) -> str | None:
    """Why an answer does not stand where it should; None where it does."""
    if not isinstance(text, str) or not isinstance(start, int) or start < 0:
        return f"answer {text!r} starts at {start!r}; expected a string and a character's number"
    found = context[start : start + len(text)]
    if found == text:
        return None
    elsewhere = context.find(text)
    told = f"it stands at {elsewhere}" if elsewhere >= 0 else "it is not in the context"
    return f"expected answer {text!r} at character {start} of context, found {found!r}; {told}"


def offsets_of(encoded: Any, row: int) -> np.ndarray:
    """(tokens, 2) offsets of a window that a tokenizer cut from a question and a context."""
    pairs = zip(encoded["offset_mapping"][row], encoded.sequence_ids(row), strict=True)
    return np.array([pair if side == 1 else (0, 0) for pair, side in pairs], dtype="int32")


def positions(offsets: np.ndarray, answers: Any) -> tuple[int, int]:
    """First and last token of the first accepted answer; the window's first token, which stands
    for no answer, where the window does not hold all of it."""
    for text, start in accepted(answers)[:1]:
        end = start + len(text.rstrip())  # no token holds white space after the last word
        start += len(text) - len(text.lstrip())
        inside = offsets[:, 1] > offsets[:, 0]
        touched = np.flatnonzero(inside & (offsets[:, 1] > start) & (offsets[:, 0] < end))
        # whole windows are compared: a tokenizer may leave out characters, even an answer's first
        if touched.size and offsets[inside][0, 0] <= start and offsets[inside][-1, 1] >= end:
            return int(touched[0]), int(touched[-1])
    return 0, 0


class Window(NamedTuple):
    """What a model answers when it sees one window of an example; scores are sums of two logits."""

    text: str
    score: float
    null_score: float  # of no answer


def read(
    context: str,
    offsets: np.ndarray,
    start_logits: np.ndarray,
    end_logits: np.ndarray,
    max_length: int,
) -> Window:
    """A window's best span of at most `max_length` tokens: the highest sum of its first token's
    start logit and its last token's end logit.

    The scripts of BERT (arXiv 1810.04805) look for it among the 20 best starts and ends only. A
    window without context gives an empty span that scores -inf.
    """
    inside = offsets[:, 1] > offsets[:, 0]
    starts, ends = (np.where(inside, logits, -np.inf) for logits in (start_logits, end_logits))
    beyond = np.full(max_length - 1, -np.inf)
    reach = np.lib.stride_tricks.sliding_window_view(np.append(ends, beyond), max_length)
    scores = starts[:, None] + reach  # (tokens, max_length): from a token on, how many more
    first, more = np.unravel_index(scores.argmax(), scores.shape)
    text = context[offsets[first, 0] : offsets[first + more, 1]]
    null_score = float(start_logits[0] + end_logits[0])
    # some tokenizers count the space before a word to it
    return Window(text.strip(), float(scores[first, more]), null_score)


def choose(windows: Sequence[Window], null_threshold: float | None) -> str:
    """The best span of all windows on a context, or "" for no answer.

    No answer is as likely as the window says where it is least so: a window without the answer
    knows nothing of the others. It has to lead by more than `null_threshold`; never with None.
    """
    best = max(windows, key=lambda window: window.score)
    lead = min(window.null_score for window in windows) - best.score
    return "" if null_threshold is not None and lead > null_threshold else best.text
