"""Which features there are to choose from: found out on a probe batch."""

from typing import TYPE_CHECKING, Any, Literal

from pipelines import forward
from pipelines.errors import ModelError
from pipelines.features import HEAD, Extractor, projection, stem
from pipelines.features.pooling import POOLINGS, mask_of, pool
from pipelines.features.tap import Tap

if TYPE_CHECKING:
    import torch

    from pipelines.anatomy import Anatomy


def by_token(model: Any, anatomy: "Anatomy") -> Extractor:
    """The features of every token that has a label, as the model's own output layer reads them."""
    return Extractor(model, anatomy, (HEAD,), own=None, by_token=True)


def extractor(
    model: Any,
    anatomy: "Anatomy",
    pooling: str,
    rows: Any,
    collate: Any,
    fresh: tuple[str, ...] = (),
) -> Extractor:
    """Find out, on a probe batch, which poolings there are and which of them are the head's own.

    A pooling that equals what the head reads (ViT's `cls`, GPT-2's `last`) is the head's: it is
    solved as `head` and saved as the plain class. `fresh` names the parameters that the checkpoint
    did not hold.

    Raises:
        ModelError: `pooling` does not exist for this model.
    """
    batch = {name: tensor.to(model.device) for name, tensor in probe(rows, collate).items()}
    name = projection.find(model.eval(), anatomy, fresh, batch)
    found = Extractor(model, anatomy, (HEAD,), own=None, projection=name)
    with found._left_out():
        poolings, own = _candidates(model, anatomy, pooling, batch)
        is_new = [n for n in fresh if not n.startswith((f"{anatomy.output}.", f"{name}."))]
        taken = stem.find(model, anatomy, batch) if is_new and own is None else None
    return Extractor(model, anatomy, poolings, own, projection=name, stem=taken)


def pooled(
    model: Any,
    anatomy: "Anatomy",
    pooling: str,
    rows: Any,
    collate: Any,
    layer: Literal["last", "mean"],
) -> Extractor:
    """The poolings of texts, for what no plain class holds: a sentence-transformers folder does.

    The head's own pooling is one of them here, under its own name.

    Raises:
        ModelError: `pooling` or `layer` does not exist for this model.
    """
    import torch

    batch = {name: tensor.to(model.device) for name, tensor in probe(rows, collate).items()}
    with torch.inference_mode(), Tap(model.eval(), anatomy, layer) as tap:
        model(**batch)
        states = getattr(tap.outputs, "hidden_states", None) or ()
        if layer == "mean" and len(states) != 1 + getattr(model.config, "num_hidden_layers", 0):
            raise ModelError(
                f"linear_probe: strategy.layer mean: {type(model).__name__} does not give what "
                "each of its blocks gives; use layer=last"
            )
        there = POOLINGS if mask_of(tap.hidden, batch) is not None else ()
    if pooling not in ("auto", *there):
        raise ModelError(
            f"linear_probe: pooling '{pooling}' of {type(model).__name__} cannot be saved in a "
            f"sentence-transformers folder, which head or layer need; known: {', '.join(there)}"
        )
    return Extractor(model, anatomy, there if pooling == "auto" else (pooling,), None, layer=layer)


def _candidates(
    model: Any, anatomy: "Anatomy", pooling: str, batch: dict[str, Any]
) -> tuple[tuple[str, ...], str | None]:
    """(the poolings to compute, the head's own)."""
    import torch

    with torch.inference_mode(), Tap(model, anatomy) as tap:
        logits = model(**batch).logits
    said: Any = batch.get("attention_mask")
    mask = mask_of(tap.hidden, batch)
    own = _own_pooling(model, anatomy, tap, said, logits) if tap.input.dim() > 2 else None
    read = tap.input if own is None else pool(tap.input, said, own)
    there = POOLINGS if mask is not None else ()
    same = {p for p in there if _equal(pool(tap.hidden, mask, p), read)}
    # sentence-transformers pools texts; of images only what the plain class reads can be saved
    pools = said is not None and model.main_input_name == "input_ids"
    others = [p for p in there if p in same or pools]
    if pooling not in ("auto", HEAD, *others):
        raise ModelError(
            f"linear_probe: pooling '{pooling}' cannot be saved as a standard checkpoint for "
            f"{type(model).__name__}; known: auto, {', '.join((HEAD, *others))}"
        )
    candidates = (HEAD, *(p for p in others if p not in same))
    chosen = candidates if pooling == "auto" else (HEAD if pooling in same else pooling,)
    return chosen, own


def probe(rows: Any, collate: Any) -> dict[str, "torch.Tensor"]:
    """A batch to find things out on, without labels.

    Two long rows and two short ones: on texts of one token all poolings look the same.
    """
    order = forward.by_length(rows)
    batch = collate([rows[int(row)] for row in (*order[:2], *order[-2:])])
    return {name: tensor for name, tensor in batch.items() if name not in forward.ANSWERS}


def _own_pooling(model: Any, anatomy: "Anatomy", tap: Tap, mask: Any, logits: Any) -> str:
    output = model.get_submodule(anatomy.output)
    for pooling in POOLINGS if mask is not None else ():
        pooled = pool(tap.input, mask, pooling)
        if pooled.shape[-1] == tap.input.shape[-1] and _equal(output(pooled), logits):
            return pooling
    raise ModelError(
        f"linear_probe: cannot tell how {type(model).__name__} reduces a sequence to one vector; "
        "use full or lora"
    )


def _equal(one: "torch.Tensor", other: "torch.Tensor") -> bool:
    import torch

    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5)
