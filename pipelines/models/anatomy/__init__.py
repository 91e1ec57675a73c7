"""Encoder, blocks and head of any checkpoint, derived from its module tree.

No table of families and no patterns over parameter names: transformers' own conventions
(`base_model`, `ModuleList` of blocks) and the modules' types are enough.

    tree.py           where the parts stand
    layers.py         what a layer is
    depths.py         some depths train, the rest is frozen
    logits_layer.py   whether logits come from one linear layer
    table.py          an anatomy as a table: `graft anatomy`
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.models.anatomy.layers import (
    count,
    is_dense_convolution,
    is_linear,
    is_norm,
    is_pooling,
    stay_in_eval,
    trainable_batch_norms,
)
from pipelines.models.anatomy.tree import Names, Tree, inside, outermost

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = [
    "Anatomy",
    "count",
    "dissect",
    "inside",
    "outermost",
    "stay_in_eval",
    "trainable_batch_norms",
]


@dataclass(frozen=True)
class Anatomy:
    """The parts of a model with a task head, as names of its modules.

    Attributes:
        encoder: what was pretrained; in timm the head is a part of it.
        blocks: the encoder's blocks, in depth order.
        depths: all that has parameters, by depth: what comes before the first block; each block,
            with what leads to it from the one before; what follows the last block, head included.
            A parameter that stands between modules is there under its own name.
        head: what is new for this task: the modules outside the encoder, and whatever else the
            checkpoint did not hold. The output layer of a language model is not part of it: its
            weights are the embeddings'.
        new: the parameters that the checkpoint did not hold.
        output: the linear layer that gives the logits; `head` contains it. None where no layer
            maps features to labels, as in a language model.
        pooling: modules after the blocks that make one vector of an example, where there are any.
        norms: normalization layers.
        adaptable: layers inside the blocks that low-rank updates fit on: the linear ones, or
            convolutions where none is linear.
        width: the size of the states between blocks, where that is one number.
        is_convolutional: the blocks hold convolutions and nothing linear. ConvNeXt's hold both,
            and it is trained like a transformer (arXiv 2201.03545).
    """

    encoder: str
    blocks: Names
    depths: tuple[Names, ...]
    head: Names
    new: frozenset[str]
    output: str | None
    pooling: Names
    norms: Names
    adaptable: Names
    width: int | None
    is_convolutional: bool

    @property
    def embeddings(self) -> Names:
        """The modules before the first block; of a convolutional network, its stem."""
        return self.depths[0]

    @property
    def final(self) -> Names:
        """The modules between the last block and the head, such as the last normalization."""
        return tuple(name for name in self.depths[-1] if name not in self.head)

    def is_new(self, parameter: str) -> bool:
        """Return whether the checkpoint lacked a parameter, also by its name in a PeftModel."""
        name = parameter.removeprefix("base_model.model.").replace(".modules_to_save.default", "")
        return name in self.new

    def depth(self, parameter: str) -> int:
        """Index of a parameter in `depths`: 0 for embeddings, 1 for the first block.

        New parameters are as deep as the head, even inside a block.
        """
        last = len(self.depths) - 1
        if inside(parameter, self.head):
            return last
        return next((i for i, names in enumerate(self.depths) if inside(parameter, names)), last)


def dissect(model: "PreTrainedModel", newly_initialized: Names = ()) -> Anatomy:
    """Derive the anatomy of `model` from its module tree.

    Args:
        newly_initialized: the parameters that its checkpoint did not hold.
    """
    tree = Tree(model, newly_initialized)
    # adapters fit on the encoder's blocks; a new layer inside them trains as a whole anyway
    within = tree.blocks or (tree.encoder,)
    inner = {
        name: module
        for name, module in tree.modules.items()
        if inside(name, within) and not inside(name, tree.head)
    }
    linear = tuple(name for name, module in inner.items() if is_linear(module))
    convolutions = tuple(name for name, module in inner.items() if is_dense_convolution(module))
    return Anatomy(
        encoder=tree.encoder,
        blocks=tree.blocks,
        depths=tree.depths,
        head=tree.head,
        new=frozenset(newly_initialized),
        output=tree.output,
        # only after the blocks: those inside (Inception, squeeze and excitation) make no vector
        pooling=outermost(name for name in tree.after_blocks if is_pooling(tree.modules[name])),
        norms=tuple(name for name, module in tree.modules.items() if is_norm(module)),
        adaptable=linear or convolutions,
        # where it changes from stage to stage, configs call it `hidden_sizes`
        width=getattr(model.config, "hidden_size", None),
        is_convolutional=bool(convolutions) and not linear,
    )
