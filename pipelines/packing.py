"""Blocks that see tokens, and no padding: packed before the first, taken apart after the last.

    (rows, length, dim) ── pack ──▶ (1, tokens, dim) ── blocks ── unpack ──▶ (rows, length, dim)
                                    attention: some rows of about one length after the other

What comes out is what would have come out, to rounding, so that the examples of a step need not be
of one length to be computed without waste: batches that are cost accuracy (on Banking77 0.8 ± 0.5
points in three epochs). Whether a model can do it is tried on a batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from pipelines import batches, forward
from pipelines.features.candidates import probe
from pipelines.features.shortcut import WithActivations

if TYPE_CHECKING:
    from pipelines.anatomy import Anatomy
    from pipelines.trainer import Job

NAME, WITHIN = "graft_packed", "sdpa"
SETUP = {"cpu": 48}  # tokens that could have been computed while attention to a part is set up
ELSEWHERE = 8192  # on a GPU some milliseconds, in which nothing is computed
STEP = 64  # tokens: kernels are prepared for each shape that they meet, so that there should be few
WORTH = 0.9  # of a batch: where more of it than that is tokens, there is nothing to save


@dataclass(frozen=True)
class Part:
    """Some rows of a batch, of about one length, where they stand among the tokens."""

    rows: torch.Tensor
    length: int
    tokens: slice

    def read(self, packed: torch.Tensor) -> torch.Tensor:
        """(1, heads, tokens, dim) -> (rows, heads, length, dim)."""
        own = packed[0, :, self.tokens]
        return own.unflatten(1, (len(self.rows), self.length)).transpose(0, 1)

    def mask(self, whole: torch.Tensor | None) -> torch.Tensor | None:
        """Of (rows, 1, 1 or length, length), its own."""
        if whole is None:
            return None
        return whole[self.rows, :, : self.length, : self.length]


@dataclass(frozen=True)
class Places:
    """Where the tokens stand in a padded batch, flat over its rows; part after part."""

    flat: torch.Tensor
    shape: torch.Size  # (rows, length)
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, mask: torch.Tensor, setup: int) -> "Places | None":
        """Of a mask (rows, length); None where there is little padding."""
        ends = batches.ends(mask).cpu().numpy()
        order = np.argsort(-ends, kind="stable")
        sizes = np.minimum(batches.rounded(ends[order]), mask.shape[1])
        starts = batches.starts(sizes, setup)
        size = int(sizes[starts] @ np.diff([*starts, len(sizes)]))
        if size > WORTH * mask.numel():
            return None
        flat = np.zeros(-(-size // STEP) * STEP, int)  # the rest is the first token, again
        parts, first = [], 0
        for length, rows in zip(sizes[starts].tolist(), np.split(order, starts[1:]), strict=True):
            tokens = slice(first, first + length * len(rows))
            flat[tokens] = (rows[:, None] * mask.shape[1] + np.arange(length)).ravel()
            parts.append(Part(torch.from_numpy(rows).to(mask.device), length, tokens))
            first = tokens.stop
        return cls(torch.from_numpy(flat).to(mask.device), mask.shape, tuple(parts))

    @property
    def size(self) -> int:
        """How many tokens there are in all parts."""
        return self.parts[-1].tokens.stop

    def pack(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, length, dim) -> (1, tokens, dim)."""
        return rows.flatten(0, 1).index_select(0, self.flat).unsqueeze(0)

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        """(1, tokens, dim) -> (rows, length, dim), with zeros for padding."""
        rows = packed.new_zeros(self.shape.numel(), packed.shape[-1])
        rows = rows.index_copy(0, self.flat[: self.size], packed[0, : self.size])
        return rows.unflatten(0, self.shape)


class Packing:
    """Packs what a model computes in training, for the time of a `with` block."""

    current: Places | None = None  # of the batch that the blocks are computing

    def __init__(self, model: Any, anatomy: "Anatomy", setup: int) -> None:
        self.model, self.setup = model, setup
        self.places: Places | None = None
        self.encoder = model.get_submodule(anatomy.encoder)  # peft goes around a model's own hooks
        self.first, self.last = (model.get_submodule(anatomy.blocks[i]) for i in (0, -1))

    def __enter__(self) -> "Packing":
        self.before = self.model.config._attn_implementation
        self.model.set_attn_implementation(NAME)
        self.hooks = [
            self.encoder.register_forward_pre_hook(self._begin, with_kwargs=True),
            self.first.register_forward_pre_hook(self._pack, with_kwargs=True),
            self.last.register_forward_hook(self._unpack),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()
        self.model.set_attn_implementation(self.before)

    def _begin(self, encoder: Any, inputs: Any, named: dict[str, Any]) -> None:
        mask = named.get("attention_mask")
        ids = inputs[0] if inputs else named.get("input_ids")
        self.places = None
        if encoder.training and mask is not None and mask.dim() == 2 and ids is not None:
            self.places = Places.of(mask, self.setup) if mask.shape == ids.shape else None

    def _pack(self, _: Any, inputs: Any, named: dict[str, Any]) -> Any:
        if self.places is None:
            return None
        Packing.current = self.places
        hidden = inputs[0] if inputs else named["hidden_states"]
        packed = self.places.pack(hidden)
        if inputs:
            return (packed, *inputs[1:]), named
        return inputs, {**named, "hidden_states": packed}

    def _unpack(self, _: Any, inputs: Any, given: Any) -> Any:
        if self.places is None:
            return None
        Packing.current = None
        if isinstance(given, tuple):
            return (self.places.unpack(given[0]), *given[1:])
        return self.places.unpack(given)


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """SDPA between the tokens of each row; packed (1, heads, tokens, dim) or not."""
    within, places = ALL_ATTENTION_FUNCTIONS[WITHIN], Packing.current
    if places is None:
        return within(module, query, key, value, attention_mask, **options)
    answers = []
    for part in places.parts:
        read = (part.read(packed) for packed in (query, key, value))
        answer, _ = within(module, *read, part.mask(attention_mask), **options)
        answers.append(answer.flatten(0, 1))
    rest = answers[0].new_zeros(len(places.flat) - places.size, *answers[0].shape[1:])
    return torch.cat([*answers, rest]).unsqueeze(0), None


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)


@contextmanager
def where_it_fits(job: "Job", model: Any, anatomy: "Anatomy") -> Iterator[bool]:
    """Inside, batches are packed if `model`, which the job's has become, takes them."""
    tells_all = isinstance(job.train, WithActivations)  # and starts at another block
    if tells_all or job.arguments.gradient_checkpointing or not _fits(job, model, anatomy):
        yield False
        return
    model = job.checkpoint.model
    with Packing(model, anatomy, SETUP.get(model.device.type, ELSEWHERE)):
        yield True


def _fits(job: "Job", model: Any, anatomy: "Anatomy") -> bool:
    """Whether the model says the same of a batch with padding when it is packed."""
    inner = job.checkpoint.model
    if inner.config._attn_implementation != WITHIN or not anatomy.blocks:
        return False
    if forward.lengths(job.train) is None:
        return False
    batch = {k: v.to(inner.device) for k, v in probe(job.train, job.collate).items()}
    packing = Packing(inner, anatomy, setup=1)  # a batch of few rows, on any device
    try:
        with torch.no_grad(), _calm(model):
            plain = model(**batch).logits
            with packing:
                packed = model(**batch).logits
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return False
    finally:
        Packing.current = None
    if packing.places is None:
        return False
    there = (
        batch["attention_mask"].bool() if plain.shape[:2] == packing.places.shape else slice(None)
    )
    return torch.allclose(packed[there], plain[there], rtol=1e-4, atol=1e-5)


@contextmanager
def _calm(model: Any) -> Iterator[None]:
    """In training, and yet without dropout."""
    was = model.training
    model.train()
    dropping = [(m, m.p) for m in model.modules() if isinstance(m, torch.nn.Dropout)]
    for module, _ in dropping:
        module.p = 0.0
    try:
        yield
    finally:
        for module, share in dropping:
            module.p = share
        model.train(was)
