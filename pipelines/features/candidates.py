"""Which features there are to choose from: found out on a probe batch."""

from typing import TYPE_CHECKING, Any, Literal

from pipelines.core.errors import ModelError
from pipelines.features import HEAD, Extractor, head_input, projection
from pipelines.features.activation_hook import ActivationHook
from pipelines.features.pooling import POOLINGS, mask_of, pool
from pipelines.features.skip_frozen_blocks import take
from pipelines.models import forward

if TYPE_CHECKING:
    import torch

    from pipelines.models.anatomy import Anatomy


def by_token(model: Any, anatomy: "Anatomy") -> Extractor:
    """The features of every token that has a label, as the model's own output layer reads them."""
    return Extractor(model, anatomy, (HEAD,), own=None, by_token=True)


def extractor(
    model: Any,
    anatomy: "Anatomy",
    pooling: str,
    rows: Any,
    collate: Any,
    newly_initialized: tuple[str, ...] = (),
    *,
    layer: Literal["last", "mean"] = "last",
    plain: bool = True,
) -> Extractor:
    """Find out, on a probe batch, which poolings there are and which of them are the head's own.

    A pooling that equals what the head reads (ViT's `cls`, GPT-2's `last`) is the head's: it is
    solved as `head` and saved as the plain class. `newly_initialized` names the parameters
    that the checkpoint did not hold. What no plain class can hold (not `plain`) is left the
    poolings of texts, under their own names: a sentence-transformers folder holds it.

    Raises:
        ModelError: `pooling` or `layer` does not exist for this model.
    """
    import torch

    batch = {name: tensor.to(model.device) for name, tensor in sample_batch(rows, collate).items()}
    name = projection.find(model.eval(), anatomy, newly_initialized, batch)
    found = Extractor(model, anatomy, (HEAD,), own=None, projection=name)
    with found._left_out():
        with torch.inference_mode(), ActivationHook(model, anatomy, layer) as tap:
            logits = model(**batch).logits
        own = _own_pooling(tap, batch, logits) if tap.input.dim() > 2 else None
        poolings = _candidates(tap, own, pooling, batch, plain)
        is_new = [
            n for n in newly_initialized if not n.startswith((f"{anatomy.output}.", f"{name}."))
        ]
        taken = head_input.find(model, anatomy, batch) if is_new and own is None else None
    return Extractor(
        model, anatomy, poolings, own, projection=name, head_input=taken, layer=layer, plain=plain
    )


def _candidates(
    tap: ActivationHook, own: str | None, pooling: str, batch: dict[str, Any], plain: bool
) -> tuple[str, ...]:
    """The poolings to compute: what the head reads first, which stands for those that equal it."""
    said: Any = batch.get("attention_mask")
    mask = mask_of(tap.hidden, batch)
    read = tap.input if own is None else pool(tap.input, said, own)
    there = POOLINGS if mask is not None else ()
    same = {p for p in there if plain and _equal(pool(tap.hidden, mask, p), read)}
    # sentence-transformers pools texts; of images only what the plain class reads can be saved
    pools = said is not None and tap.model.main_input_name == "input_ids"
    others = [p for p in there if p in same or pools]
    known = [HEAD, *others] if plain else others
    if pooling not in ("auto", *known) or not known:
        raise ModelError(
            f"linear_probe: pooling '{pooling}' cannot be saved as a standard checkpoint for "
            f"{type(tap.model).__name__}{'' if plain else ' with this head or layer'}; "
            f"known: {', '.join(('auto', *known)) if known else 'none'}"
        )
    if pooling == "auto":
        return (HEAD, *(p for p in others if p not in same))
    return (HEAD if pooling in same else pooling,)


def sample_batch(rows: Any, collate: Any) -> dict[str, "torch.Tensor"]:
    """A batch to find things out on, without labels.

    Two long rows and two short ones: on texts of one token all poolings look the same.
    """
    order = forward.by_length(rows)
    batch = collate(take(rows, [int(row) for row in (*order[:2], *order[-2:])]))
    return {name: tensor for name, tensor in batch.items() if name not in forward.ANSWERS}


def _own_pooling(tap: ActivationHook, batch: dict[str, Any], logits: Any) -> str:
    output = tap.model.get_submodule(tap.anatomy.output)
    mask: Any = batch.get("attention_mask")
    for pooling in POOLINGS if mask is not None else ():
        pooled = pool(tap.input, mask, pooling)
        if pooled.shape[-1] == tap.input.shape[-1] and _equal(output(pooled), logits):
            return pooling
    raise ModelError(
        f"linear_probe: cannot tell how {type(tap.model).__name__} reduces a sequence to one "
        "vector; use full or lora"
    )


def _equal(one: "torch.Tensor", other: "torch.Tensor") -> bool:
    import torch

    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5)
