"""Where the tokens of a padded batch stand when they are computed without their padding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from pipelines.training.speed.length_buckets import bucket_starts, round_lengths, sequence_lengths

# kernels are set up for each new shape: numbers of tokens are rounded up to a multiple of this
TOKENS_MULTIPLE = 64
MAX_TOKEN_SHARE = 0.9  # of a batch: where more of it is tokens, there is little padding to save


@dataclass(frozen=True)
class Bucket:
    """Rows of about one length, and their slots in attention, row after row.

    Attributes:
        rows: (rows,) their numbers in the batch.
        length: of each, in slots.
        slots: which of all slots are theirs.
    """

    rows: torch.Tensor
    length: int
    slots: slice

    def read(self, slots: torch.Tensor) -> torch.Tensor:
        """Select this bucket: (slots, heads, dim) of all -> (rows, heads, length, dim)."""
        selected = slots[self.slots]
        return selected.unflatten(0, (len(self.rows), self.length)).transpose(1, 2)

    def mask(self, whole: torch.Tensor) -> torch.Tensor:
        """Trim a mask (rows, 1, 1 or length, length) of the batch to this bucket."""
        return whole[self.rows, :, : self.length, : self.length]


@dataclass(frozen=True)
class PackedLayout:
    """Where the tokens of a batch stand: in the padded batch, packed, and in slots of attention.

    Attributes:
        shape: (rows, length) of the padded batch.
        num_tokens: tokens to read; what follows, up to a round number, is filled with any of them.
        positions: (packed tokens,) the place of each in the padded batch, rows one after the other.
        token_of_slot: (slots + 1,) packed token; the last slot is in no bucket.
        slot_of_token: (packed tokens,)
        buckets: cover all slots but the last.
    """

    shape: torch.Size
    num_tokens: int
    positions: torch.Tensor
    token_of_slot: torch.Tensor
    slot_of_token: torch.Tensor
    buckets: tuple[Bucket, ...]
    # id of a mask -> (the mask, its share for each bucket); holding it keeps the id its own
    _masks: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, mask: torch.Tensor, overhead: int) -> "PackedLayout | None":
        """Lay out a batch with `mask` (rows, length); None where it has little padding.

        Args:
            overhead: what another bucket has to save to pay, in tokens.
        """

        def on_device(index: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(index).to(mask.device)

        lengths = sequence_lengths(mask).cpu().numpy()
        num_tokens = int(lengths.sum())
        if num_tokens > MAX_TOKEN_SHARE * mask.numel():
            return None
        # at least one more than there are tokens: that is what empty slots read
        size = (num_tokens // TOKENS_MULTIPLE + 1) * TOKENS_MULTIPLE
        tokens_before = np.cumsum(lengths) - lengths  # of the rows above
        slots, buckets, start = [], [], 0
        for length, rows in _group(lengths, mask.shape[1], overhead):
            offsets = np.arange(length)
            is_token = offsets < lengths[rows, None]
            token = tokens_before[rows, None] + offsets
            slots.append(np.where(is_token, token, num_tokens).ravel())
            end = start + length * len(rows)
            buckets.append(Bucket(on_device(rows), length, slice(start, end)))
            start = end
        token_of_slot = np.append(np.concatenate(slots), num_tokens)
        positions, slot_of_token = np.zeros(size, int), np.full(size, len(token_of_slot) - 1)
        positions[:num_tokens] = np.flatnonzero(np.arange(mask.shape[1]) < lengths[:, None])
        is_token = token_of_slot < num_tokens
        slot_of_token[token_of_slot[is_token]] = np.flatnonzero(is_token)
        return cls(
            shape=mask.shape,
            num_tokens=num_tokens,
            positions=on_device(positions),
            token_of_slot=on_device(token_of_slot),
            slot_of_token=on_device(slot_of_token),
            buckets=tuple(buckets),
        )

    def masks(self, whole: torch.Tensor | None) -> Sequence[torch.Tensor | None]:
        """Trim the mask of the padded batch to each bucket; computed once for all blocks.

        Args:
            whole: (rows, 1, 1 or length, length) True where a token is seen; None: all are.
        """
        if whole is None:
            return [None] * len(self.buckets)
        if id(whole) not in self._masks:
            self._masks[id(whole)] = whole, [bucket.mask(whole) for bucket in self.buckets]
        return self._masks[id(whole)][1]

    def pack(self, rows: torch.Tensor) -> torch.Tensor:
        """Leave out padding: (rows, length, dim) -> (1, packed tokens, dim)."""
        return rows.flatten(0, 1).index_select(0, self.positions).unsqueeze(0)

    def spread(self, packed: torch.Tensor) -> torch.Tensor:
        """Move tokens to slots: (1, heads, packed tokens, dim) -> (slots + 1, heads, dim)."""
        tokens = packed[0].transpose(0, 1)
        slots: torch.Tensor = _Move.apply(tokens, self.token_of_slot, self.slot_of_token)
        return slots

    def gather(self, outputs: list[torch.Tensor]) -> torch.Tensor:
        """Move slots back to tokens: (slots, heads, dim) each -> (1, packed tokens, heads, dim)."""
        last_slot = outputs[0].new_zeros(1, *outputs[0].shape[1:])
        slots = torch.cat([*outputs, last_slot])
        return _Move.apply(slots, self.slot_of_token, self.token_of_slot).unsqueeze(0)

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        """Put padding back, as zeros: (1, packed tokens, dim) -> (rows, length, dim)."""
        rows = packed.new_zeros(self.shape.numel(), packed.shape[-1])
        positions = self.positions[: self.num_tokens]
        rows = rows.index_copy(0, positions, packed[0, : self.num_tokens])
        return rows.unflatten(0, self.shape)


class _Move(torch.autograd.Function):
    """Index rows one way, and their gradients the other way.

    Both ways are lookups, where the gradient of `index_select` would add up into an array. What
    has no counterpart is read by nothing, so that it has no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, index: torch.Tensor, inverse: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(inverse)
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (inverse,) = ctx.saved_tensors
        return gradient.index_select(0, inverse), None, None


def _group(lengths: np.ndarray, max_length: int, overhead: int) -> Iterator[tuple[int, np.ndarray]]:
    """Group rows by length, the longest first: (length of the bucket, its rows)."""
    order = np.argsort(-lengths, kind="stable")
    rounded = np.minimum(round_lengths(lengths[order]), max_length)
    starts = bucket_starts(rounded, overhead)
    yield from zip(rounded[starts].tolist(), np.split(order, starts[1:]), strict=True)
