"""A model whose blocks compute packed tokens, and the attention between the tokens of each row."""

from typing import TYPE_CHECKING, Any, ClassVar

import torch

from pipelines.core.upstream import (
    attention_function,
    attention_implementation,
    register_attention,
)
from pipelines.training.speed.packed_layout import PackedLayout

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy

PACKED, BASE = "graft_packed", "sdpa"  # names of attention functions: ours, and what it calls


class Packing:
    """Packs what a model computes in training, for the time of a `with` block.

    Attributes:
        active: the instance whose packed batch the blocks are computing.
        layout: of the batch that was seen last; None: it was not packed.
    """

    # of the class: transformers calls attention with a module and tensors, and nothing else could
    # bring a layout along
    active: ClassVar["Packing | None"] = None

    def __init__(self, model: Any, anatomy: "Anatomy", first_block: str, overhead: int) -> None:
        self.model, self.overhead = model, overhead
        self.layout: PackedLayout | None = None
        self.encoder = model.get_submodule(anatomy.encoder)  # peft goes around a model's own hooks
        self.first, self.last = map(model.get_submodule, (first_block, anatomy.blocks[-1]))

    def __enter__(self) -> "Packing":
        self.attention_before = attention_implementation(self.model.config)
        self.model.set_attn_implementation(PACKED)
        self.hooks = [
            self.encoder.register_forward_pre_hook(self._begin, with_kwargs=True),
            self.first.register_forward_pre_hook(self._pack, with_kwargs=True),
            self.last.register_forward_hook(self._unpack),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()
        self.model.set_attn_implementation(self.attention_before)

    def _begin(self, encoder: Any, inputs: Any, named: dict[str, Any]) -> None:
        mask = named.get("attention_mask")
        ids = inputs[0] if inputs else named.get("input_ids")
        self.layout = None
        # evaluation is sorted by length: there is hardly any padding to leave out
        if encoder.training and mask is not None and mask.dim() == 2 and ids is not None:
            is_padding_mask = mask.shape == ids.shape
            self.layout = PackedLayout.of(mask, self.overhead) if is_padding_mask else None

    def _pack(self, _: Any, inputs: Any, named: dict[str, Any]) -> Any:
        if self.layout is None:
            return None
        Packing.active = self
        packed = self.layout.pack(inputs[0] if inputs else named["hidden_states"])
        if inputs:
            return (packed, *inputs[1:]), named
        return inputs, {**named, "hidden_states": packed}

    def _unpack(self, _: Any, inputs: Any, outputs: Any) -> Any:
        if self.layout is None:
            return None
        Packing.active = None
        if isinstance(outputs, tuple):
            return (self.layout.unpack(outputs[0]), *outputs[1:])
        return self.layout.unpack(outputs)


def packed_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Compute SDPA between the tokens of each row.

    Args:
        query, key, value: (1, heads, tokens, dim) where a batch is packed, else as SDPA takes them.
        attention_mask: of the padded batch.
        options: passed on.

    Returns:
        (1, tokens, heads, dim), and None where others give attention weights.
    """
    attention, packing = attention_function(BASE), Packing.active
    if packing is None or packing.layout is None:
        return attention(module, query, key, value, attention_mask, **options)
    layout = packing.layout
    slots = [layout.spread(packed) for packed in (query, key, value)]
    outputs = []
    for bucket, mask in zip(layout.buckets, layout.masks(attention_mask), strict=True):
        output, _ = attention(module, *map(bucket.read, slots), mask, **options)
        outputs.append(output.flatten(0, 1))
    return layout.gather(outputs), None


register_attention(PACKED, packed_attention)
