"""Where the tokens of a padded batch stand when they are computed without their padding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from pipelines.training.speed import length_buckets as batches

STEP = 64  # tokens: kernels are prepared for each shape that they meet, so that there should be few
WORTH = 0.9  # of a batch: where more of it than that is tokens, there is nothing to save


@dataclass(frozen=True)
class Part:
    """Some rows of a batch, of about one length, where they stand among the slots of attention."""

    rows: torch.Tensor
    length: int
    slots: slice

    def read(self, slots: torch.Tensor) -> torch.Tensor:
        """(slots, heads, dim) -> (rows, heads, length, dim)."""
        own = slots[self.slots]
        return own.unflatten(0, (len(self.rows), self.length)).transpose(1, 2)

    def mask(self, whole: torch.Tensor) -> torch.Tensor:
        """Of (rows, 1, 1 or length, length), its own."""
        return whole[self.rows, :, : self.length, : self.length]


@dataclass(frozen=True)
class PackedLayout:
    """Where the tokens of a batch stand: among its rows with their padding, and among the slots in
    which attention sees them, part after part.

    Attributes:
        shape: (rows, length) of the padded batch.
        count: how many tokens are read. What follows, up to a round number, stands for padding.
        flat: for each token, its place in the padded batch.
        slots: for each slot its token; the last slot is in no part.
        back: for each token its slot.
    """

    shape: torch.Size
    count: int
    flat: torch.Tensor
    slots: torch.Tensor
    back: torch.Tensor
    parts: tuple[Part, ...]
    _masks: dict[Any, Any] = field(default_factory=dict)  # an id is only that of what is kept

    @classmethod
    def of(cls, mask: torch.Tensor, setup: int) -> "PackedLayout | None":
        """Of a mask (rows, length); None where there is little padding."""
        ends = batches.ends(mask).cpu().numpy()
        count = int(ends.sum())
        if count > WORTH * mask.numel():
            return None
        size = (count // STEP + 1) * STEP
        before = np.cumsum(ends) - ends  # tokens of the rows above
        slots, parts, first = [], [], 0
        for length, rows in _alike(ends, mask.shape[1], setup):
            at = np.arange(length)
            is_token = at < ends[rows, None]
            slots.append(np.where(is_token, before[rows, None] + at, count).ravel())
            here = slice(first, first := first + length * len(rows))
            parts.append(Part(torch.from_numpy(rows).to(mask.device), length, here))
        token = np.append(np.concatenate(slots), count)
        flat, back = np.zeros(size, int), np.full(size, len(token) - 1)
        flat[:count] = np.flatnonzero(np.arange(mask.shape[1]) < ends[:, None])
        back[token[token < count]] = np.flatnonzero(token < count)
        there = [torch.from_numpy(index).to(mask.device) for index in (flat, token, back)]
        return cls(mask.shape, count, there[0], there[1], there[2], tuple(parts))

    def masks(
        self, whole: torch.Tensor | None, added_to: torch.dtype | None = None
    ) -> Sequence[torch.Tensor | None]:
        """Of one for the padded batch those of the parts: who sees whom, or what is added to scores
        of a dtype. Blocks ask for the same ones."""
        if whole is None:
            return [None] * len(self.parts)
        key = (id(whole), added_to)
        if key not in self._masks:
            masks = [part.mask(whole) for part in self.parts]
            if added_to:
                nothing = torch.zeros((), dtype=added_to)
                least = torch.finfo(added_to).min  # not -inf: of nothing else, softmax is nan
                masks = [nothing.where(m, least) for m in masks]
            self._masks[key] = whole, masks
        return self._masks[key][1]

    def pack(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, length, dim) -> (1, tokens, dim)."""
        return rows.flatten(0, 1).index_select(0, self.flat).unsqueeze(0)

    def spread(self, packed: torch.Tensor) -> torch.Tensor:
        """(1, heads, tokens, dim) -> (slots, heads, dim)."""
        moved: torch.Tensor = _Move.apply(packed[0].transpose(0, 1), self.slots, self.back)
        return moved

    def gather(self, answers: list[torch.Tensor]) -> torch.Tensor:
        """Those of each part (its slots, heads, dim) -> (1, tokens, heads, dim)."""
        nobody = answers[0].new_zeros(1, *answers[0].shape[1:])
        moved = _Move.apply(torch.cat([*answers, nobody]), self.back, self.slots)
        return moved.unsqueeze(0)

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        """(1, tokens, dim) -> (rows, length, dim), with zeros for padding."""
        rows = packed.new_zeros(self.shape.numel(), packed.shape[-1])
        rows = rows.index_copy(0, self.flat[: self.count], packed[0, : self.count])
        return rows.unflatten(0, self.shape)


class _Move(torch.autograd.Function):
    """Tokens to their slots, or back: an index one way, and for gradients the other way. What has
    no counterpart is read by nothing, so that it has no gradient."""

    @staticmethod
    def forward(
        ctx: Any, given: torch.Tensor, there: torch.Tensor, back: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(back)
        return given.index_select(0, there)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (back,) = ctx.saved_tensors
        return gradient.index_select(0, back), None, None


def _alike(ends: np.ndarray, width: int, setup: int) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of about one length, and how long each such part is; the longest first."""
    order = np.argsort(-ends, kind="stable")
    lengths = np.minimum(batches.rounded(ends[order]), width)
    starts = batches.starts(lengths, setup)
    yield from zip(lengths[starts].tolist(), np.split(order, starts[1:]), strict=True)
