"""Finds encoder, blocks and head in a module tree."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Names = tuple[str, ...]


def inside(name: str, roots: Iterable[str]) -> bool:
    """Return whether a module or parameter is in one of `roots`; "" is the whole model."""
    return any(not root or name == root or name.startswith(f"{root}.") for root in roots)


def outermost(names: Iterable[str]) -> Names:
    """Drop the names that are a part of another one; `names` are in the order of the tree."""
    roots: list[str] = []
    for name in names:
        if not inside(name, roots):
            roots.append(name)
    return tuple(roots)


class Tree:
    """The named modules of a model; each property is one part, as `Anatomy` describes it."""

    def __init__(self, model: "PreTrainedModel", newly_initialized: Names) -> None:
        self.model, self.newly_initialized = model, newly_initialized
        # with duplicates: a tied layer belongs to two parts, and both have to find it
        self.modules: dict[str, Any] = dict(model.named_modules(remove_duplicate=False))

    @cached_property
    def encoder(self) -> str:
        """The child that was pretrained; "" where the model itself is all there is."""
        from transformers import PreTrainedModel

        base = self.model.base_model
        for name, child in self.model.named_children():
            if child is base:
                return name
        # Whisper's classifier has no `base_model`, but one child that is a model by itself
        children = self.model.named_children()
        models = [name for name, child in children if isinstance(child, PreTrainedModel)]
        return models[0] if len(models) == 1 else ""

    @cached_property
    def output(self) -> str | None:
        """The last linear layer with an output for each label, or one that scores each choice.

        None in a language model.
        """
        from torch.nn import Linear

        if self._is_language_model:
            return None
        sizes = {n: m.out_features for n, m in self.modules.items() if isinstance(m, Linear)}
        # The last one wins: inner layers can have as many outputs by chance. Multiple choice scores
        # each choice by a single output.
        labeled = [n for n, size in sizes.items() if size == self.model.config.num_labels]
        scoring = [n for n, size in sizes.items() if size == 1 and not inside(n, [self.encoder])]
        return next(reversed(labeled or scoring), None)

    @cached_property
    def blocks(self) -> Names:
        """The members of the outermost ModuleLists, in order (wav2vec2 has two: conv, encoder).

        timm has none: there they are the members of the outermost Sequentials or, without any,
        the encoder's children (Inception). Where some members are made of several layers, the
        single layers are stem and ending; VGG has single layers only.
        """
        from torch.nn import ModuleList

        containers = list(self._containers(self.encoder))
        lists = [name for name in containers if isinstance(self.modules[name], ModuleList)]
        members = [m for name in lists or containers or [self.encoder] for m in self._below(name)]
        if not lists:
            members = [m for m in members if self._has_weights(m)]
            members = [m for m in members if any(self._below(m))] or members
            members = [m for m in members if not (self.output and inside(self.output, [m]))]
        return tuple(members)

    @cached_property
    def head(self) -> Names:
        """Modules outside the encoder, the output layer, and what holds new parameters."""
        head: list[str] = []
        if self.encoder and not self._is_language_model:
            head += [name for name in self._below("") if self._has_weights(name)]
            head.remove(self.encoder)
        owners = dict.fromkeys(name.rpartition(".")[0] for name in self.newly_initialized)
        if len(self.newly_initialized) >= len(list(self.model.parameters())):
            owners = {}  # nothing was pretrained: the head is what it always is
        for name in filter(None, (self.output, *owners)):
            # a new parameter beside the blocks would otherwise make head of them all
            holds_blocks = any(inside(block, [name]) for block in self.blocks)
            if not inside(name, head) and not holds_blocks and not self._is_tied(name):
                head.append(name)
        return tuple(head)

    @cached_property
    def depths(self) -> tuple[Names, ...]:
        """All parts in order of definition, but embeddings first (DeBERTa defines some late)."""
        from torch.nn import Embedding

        first: list[str] = []
        blocks: list[Names] = []
        leading: list[str] = []
        # Definition stands for execution, which only a forward pass would show. What leads to a
        # block (a downsampling between stages) trains with it.
        for piece in self._pieces("", set()):
            inner = self.modules[piece].modules() if piece in self.modules else ()
            if piece in self.blocks:
                blocks.append((*leading, piece))
                leading = []
            elif piece in self.head:
                continue
            elif not blocks or any(isinstance(module, Embedding) for module in inner):
                first.append(piece)
            else:
                leading.append(piece)
        return (tuple(first), *blocks, (*leading, *self.head))

    @property
    def after_blocks(self) -> list[str]:
        """The modules that are defined after the last block."""
        names = list(self.modules)
        ends = [i for i, name in enumerate(names) if inside(name, self.blocks)]
        return names[max(ends, default=0) + 1 :]

    def _pieces(self, name: str, seen: set[int]) -> Iterator[str]:
        """Yield blocks, head, the largest modules that hold none of them, and single parameters.

        A parameter with several names belongs to the piece that is defined first.
        """
        module, marks = self.modules[name], (*self.blocks, *self.head)
        direct = list(module.named_parameters(prefix=name, recurse=False))
        yield from (parameter for parameter, p in direct if id(p) not in seen)
        seen |= {id(p) for _, p in direct}
        for child in self._below(name):
            parameters = {id(p) for p in self.modules[child].parameters()}
            is_split = child not in marks and any(inside(mark, [child]) for mark in marks)
            if is_split or (parameters & seen and child not in self.blocks):
                yield from self._pieces(child, seen)
            elif parameters:
                yield child
                seen |= parameters

    def _containers(self, name: str) -> Iterator[str]:
        """Yield the outermost ModuleLists and Sequentials with weights."""
        from torch.nn import ModuleList, Sequential

        for child in self._below(name):
            if not isinstance(self.modules[child], ModuleList | Sequential):
                yield from self._containers(child)
            elif self._has_weights(child):
                yield child

    @property
    def _is_language_model(self) -> bool:
        return self.model.get_output_embeddings() is not None

    def _is_tied(self, name: str) -> bool:
        """Return whether a module holds an output layer whose weights are the embeddings'."""
        layer = self.model.get_output_embeddings()
        if layer is None or layer.weight is not self.model.get_input_embeddings().weight:
            return False
        return any(module is layer for module in self.modules[name].modules())

    def _below(self, name: str) -> list[str]:
        """List the children of a module, without what computes a weight (weight normalization)."""
        children = self.modules[name].named_children()
        return [".".join(filter(None, (name, c))) for c, _ in children if c != "parametrizations"]

    def _has_weights(self, name: str) -> bool:
        return any(p.ndim > 1 for p in self.modules[name].parameters())
