"""Encoded pairs of texts -> the rows of each text alone, as the tokenizer would encode it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from pipelines.models import forward
from pipelines.tasks.encoding.columns import take_columns
from pipelines.tasks.text.padding import IDS, LABELS, TYPES

Texts = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class PairTemplate:
    """Which special tokens stand around and between the texts of a sequence, as ids.

    Attributes:
        before, between, after: of a pair.
        start, end: of one text.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    start: tuple[int, ...]
    end: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Any) -> Self | None:
        """Read the template off encoded texts; None where nothing stands between two of them."""
        encoded = tokenizer("a", return_special_tokens_mask=True)
        single, pair = encoded[IDS], tokenizer("a", "a")[IDS]
        words = [
            place for place, special in enumerate(encoded["special_tokens_mask"]) if not special
        ]
        if not words:
            return None
        first, stop = words[0], words[-1] + 1
        text = single[first:stop]
        places = [i for i in range(len(pair)) if pair[i : i + len(text)] == text]
        if len(places) != 2 or places[1] == places[0] + len(text):
            return None
        ends = [place + len(text) for place in places]
        parts = pair[: places[0]], pair[ends[0] : places[1]], pair[ends[1] :]
        return cls(*map(tuple, (*parts, single[:first], single[stop:])))

    def cut(self, ids: np.ndarray) -> Texts | None:
        """Return the ids of both texts; None where the sequence is no pair, or unclear."""
        body = ids[len(self.before) : len(ids) - len(self.after)]
        width = len(self.between)
        if len(body) < width:
            return None
        windows = np.lib.stride_tricks.sliding_window_view(body, width)
        places = np.flatnonzero((windows == self.between).all(axis=1))
        if len(places) != 1:
            return None
        return body[: places[0]], body[places[0] + width :]


@dataclass(frozen=True, eq=False)
class PairRows:
    """Encoded pairs, and how to cut them."""

    rows: Any
    template: PairTemplate

    @cached_property
    def texts(self) -> list[Texts | None]:
        """Both texts of each pair; None for a row that cannot be cut."""
        if not len(self.rows):
            return []
        ids: Any = take_columns(forward.take(self.rows, [*range(len(self.rows))]), [IDS])[IDS]
        return [*map(self.template.cut, np.split(ids.values, np.cumsum(ids.lengths)[:-1]))]

    @property
    def are_pairs(self) -> bool:
        """Whether every row can be cut."""
        # of rows of single texts the first one tells
        first = self.rows[0][IDS] if len(self.rows) else []
        if self.template.cut(np.asarray(first, int)) is None:
            return False
        return not any(texts is None for texts in self.texts)


@dataclass(frozen=True, eq=False)
class TextRows:
    """The first or the second text of each pair, with the labels of the pair.

    Attributes:
        side: 0 for the first text, 1 for the second.
    """

    pairs: PairRows
    side: int

    def __len__(self) -> int:
        return len(self.pairs.rows)

    def __getitem__(self, row: int) -> dict[str, Any]:
        ids, pair = self._ids[row], self.pairs.rows[int(row)]
        types = {TYPES: [0] * len(ids)} if TYPES in pair else {}
        return {IDS: ids, **types, LABELS: pair[LABELS]}

    @cached_property
    def _ids(self) -> list[list[int]]:
        template = self.pairs.template
        # a test row that spells the separator cannot be cut
        bodies = ((texts or ((), ()))[self.side] for texts in self.pairs.texts)
        return [[*template.start, *map(int, body), *template.end] for body in bodies]

    @cached_property
    def lengths(self) -> np.ndarray:
        """(rows,) number of tokens."""
        return np.array([len(ids) for ids in self._ids])

    @cached_property
    def fingerprint(self) -> str | None:
        """A key that is the same in all runs in which the pairs are; None where they have none."""
        from datasets.fingerprint import Hasher

        whole = getattr(self.pairs.rows, "fingerprint", None)
        return whole and Hasher.hash([whole, repr(self.pairs.template), self.side])
