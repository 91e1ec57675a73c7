"""A model that starts at one of its blocks: a batch brings what the blocks before it would give."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.features.chunks import Chunks

if TYPE_CHECKING:
    import torch

ACTIVATIONS = "activations"


class StopForward(Exception):  # noqa: N818 (an event, not an error)
    """A forward pass has come as far as it should."""


class SkipFrozenBlocks:
    """Lets a model start at a block: a batch that brings `activations` goes around what is before.

    The module tree stays as it is: only how the blocks before it compute is replaced, for the
    time of a `with` block.
    """

    def __init__(self, model: Any, blocks: Sequence[str], block: str) -> None:
        self.model, self.block = model, model.get_submodule(block)
        self.below = [model.get_submodule(name) for name in blocks[: blocks.index(block)]]
        self.given: Any = None

    def __enter__(self) -> "SkipFrozenBlocks":
        self.hooks = [
            self.model.register_forward_pre_hook(self._take, with_kwargs=True),
            self.block.register_forward_pre_hook(self._give, with_kwargs=True),
        ]
        for module in self.below:
            module.forward = self._around(module.forward)
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()
        for module in self.below:
            del module.forward  # the class's own again

    def reached(self, **batch: Any) -> "torch.Tensor":
        """What comes to the block from a forward pass that ends there."""
        caught: list[Any] = []

        def stop(_: Any, inputs: Any, named: Any) -> None:
            caught.append(inputs[0] if inputs else named["hidden_states"])
            raise StopForward

        hook = self.block.register_forward_pre_hook(stop, with_kwargs=True)
        with suppress(StopForward):
            self.model(**batch)
        hook.remove()
        return caught[0]

    def _take(self, _: Any, inputs: Any, named: dict[str, Any]) -> Any:
        self.given = named.pop(ACTIVATIONS, None)
        return inputs, named

    def _give(self, _: Any, inputs: Any, named: dict[str, Any]) -> Any:
        """Whatever was done on the way from the block before, to what is given already."""
        if self.given is None:
            return inputs, named
        if inputs:
            return (self.given, *inputs[1:]), named
        return inputs, {**named, "hidden_states": self.given}

    def _around(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        others: list[Any] = []  # what a block gives besides hidden states, and nobody reads

        def around(*inputs: Any, **named: Any) -> Any:
            if self.given is not None:
                return (self.given, *others) if others else self.given
            result = forward(*inputs, **named)
            if isinstance(result, tuple):
                others[:] = [None] * (len(result) - 1)
            return result

        return around


@dataclass(frozen=True)
class WithActivations:
    """Encoded rows, and for each what the frozen blocks give to `block`."""

    rows: Any
    kept: Chunks
    block: str

    def __len__(self) -> int:
        return len(self.rows)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.rows, name)  # lengths, column_names…

    def __getitem__(self, row: Any) -> Any:
        return self.rows[row]

    def __getitems__(self, numbers: list[int]) -> Any:
        return take(self.rows, numbers), [self.kept.row(ACTIVATIONS, number) for number in numbers]


@dataclass(frozen=True)
class Together:
    """Rows and their activations -> a batch; activations stand where the mask says."""

    collate: Callable[[Any], dict[str, Any]]

    def __call__(self, chosen: Any) -> dict[str, Any]:
        import torch

        rows, given = chosen
        batch = self.collate(rows)
        mask = batch.get("attention_mask")
        if mask is None:
            return {**batch, ACTIVATIONS: torch.stack(given)}
        hidden = given[0].new_zeros(*mask.shape, given[0].shape[-1])
        hidden[mask.bool()] = torch.cat(given)
        return {**batch, ACTIVATIONS: hidden}


class Below:
    """The blocks before a block as a model of their own."""

    def __init__(self, shortcut: SkipFrozenBlocks) -> None:
        self.shortcut, self.training = shortcut, False

    def to(self, device: Any) -> "Below":
        """Move the model."""
        self.shortcut.model.to(device)
        return self

    def eval(self) -> "Below":
        """Without dropout."""
        self.shortcut.model.eval()
        return self

    def __call__(self, **batch: Any) -> "torch.Tensor":
        return self.shortcut.reached(**batch)


def take(rows: Any, numbers: list[int]) -> Any:
    """Some rows, as a DataLoader would ask for them."""
    read = getattr(rows, "__getitems__", None)
    return read(numbers) if read else [rows[number] for number in numbers]
