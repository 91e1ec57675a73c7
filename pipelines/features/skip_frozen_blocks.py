"""A model that starts at one of its blocks, on activations that a batch brings along."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.features.chunks import Chunks
from pipelines.models.forward import take

if TYPE_CHECKING:
    import torch

ACTIVATIONS = "activations"


class StopForward(Exception):  # noqa: N818 (an event, not an error)
    """Ends a forward pass at a block."""


class SkipFrozenBlocks:
    """Lets a model skip the blocks before `block` for batches that bring `activations`.

    The module tree stays as it is: for the time of a `with` block the blocks before get another
    `forward`.
    """

    def __init__(self, model: Any, blocks: Sequence[str], block: str) -> None:
        self.model, self.block = model, model.get_submodule(block)
        self.frozen = [model.get_submodule(name) for name in blocks[: blocks.index(block)]]
        self.activations: Any = None

    def __enter__(self) -> "SkipFrozenBlocks":
        self.hooks = [
            self.model.register_forward_pre_hook(self._pop_activations, with_kwargs=True),
            self.block.register_forward_pre_hook(self._insert_activations, with_kwargs=True),
        ]
        # an attribute of the instance hides the class's method, and hooks go on around it
        for module in self.frozen:
            module.forward = self._skippable(module.forward)
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()
        for module in self.frozen:
            del module.forward  # uncovers the class's own

    def compute(self, **batch: Any) -> "torch.Tensor":
        """Run a batch up to the block; returns the (rows, tokens, dim) hidden states it would get.

        Raises:
            KeyError: the block takes no `hidden_states`.
        """
        caught: list[Any] = []

        def stop(_: Any, inputs: Any, named: Any) -> None:
            caught.append(inputs[0] if inputs else named["hidden_states"])
            raise StopForward

        hook = self.block.register_forward_pre_hook(stop, with_kwargs=True)
        with suppress(StopForward):
            self.model(**batch)
        hook.remove()
        return caught[0]

    def _pop_activations(self, _: Any, inputs: Any, named: dict[str, Any]) -> Any:
        self.activations = named.pop(ACTIVATIONS, None)
        return inputs, named

    def _insert_activations(self, _: Any, inputs: Any, named: dict[str, Any]) -> Any:
        """Replace the block's input by the activations, if the batch has any.

        This undoes what models do to hidden states between two blocks: the activations were caught
        after it.
        """
        if self.activations is None:
            return inputs, named
        if inputs:
            return (self.activations, *inputs[1:]), named
        return inputs, {**named, "hidden_states": self.activations}

    def _skippable(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a block's `forward`: with activations it returns them, in the form of its result."""
        others: list[Any] = []  # a block's results beside hidden states, which nothing reads

        def forward_or_skip(*inputs: Any, **named: Any) -> Any:
            if self.activations is not None:
                return (self.activations, *others) if others else self.activations
            result = forward(*inputs, **named)
            if isinstance(result, tuple):
                others[:] = [None] * (len(result) - 1)
            return result

        return forward_or_skip


@dataclass(frozen=True)
class RowsWithActivations:
    """Encoded rows, and for each the hidden states that `block` gets."""

    rows: Any
    activations: Chunks
    block: str

    def __len__(self) -> int:
        return len(self.rows)

    def __getattr__(self, name: str) -> Any:
        # unpickling asks for `__setstate__` before there are `rows`, which would recurse forever
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.rows, name)  # lengths, column_names…

    def __getitem__(self, row: Any) -> Any:
        return self.rows[row]

    def __getitems__(self, row_ids: list[int]) -> Any:
        entries = [self.activations.row(ACTIVATIONS, row_id) for row_id in row_ids]
        return take(self.rows, row_ids), entries


@dataclass(frozen=True)
class CollateWithActivations:
    """(rows, their activations) -> a batch; activations stand where the attention mask is 1."""

    collate: Callable[[Any], dict[str, Any]]

    def __call__(self, chosen: Any) -> dict[str, Any]:
        import torch

        rows, activations = chosen
        batch = self.collate(rows)
        mask = batch.get("attention_mask")
        if mask is None:
            return {**batch, ACTIVATIONS: torch.stack(activations)}
        hidden = activations[0].new_zeros(*mask.shape, activations[0].shape[-1])
        hidden[mask.bool()] = torch.cat(activations)
        return {**batch, ACTIVATIONS: hidden}


class FrozenBlocks:
    """The blocks before a block as a model of their own, which `forward.iter_batches` can run."""

    def __init__(self, shortcut: SkipFrozenBlocks) -> None:
        self.shortcut, self.training = shortcut, False

    def to(self, device: Any) -> "FrozenBlocks":
        """Move the model to a device."""
        self.shortcut.model.to(device)
        return self

    def eval(self) -> "FrozenBlocks":
        """Turn dropout off."""
        self.shortcut.model.eval()
        return self

    def __call__(self, **batch: Any) -> "torch.Tensor":
        return self.shortcut.compute(**batch)
