"""Which features a model has to choose from, found by running it on a sample batch."""

from typing import TYPE_CHECKING, Any, Literal

from pipelines.core.errors import ModelError
from pipelines.features import head_input, projection
from pipelines.features.activation_hook import ActivationHook
from pipelines.features.extractor import HEAD, Extractor
from pipelines.features.pooling import POOLINGS, mask_of, pool
from pipelines.models.forward import sample_batch

if TYPE_CHECKING:
    import torch

    from pipelines.models.anatomy import Anatomy

Batch = dict[str, Any]


def token_extractor(model: Any, anatomy: "Anatomy") -> Extractor:
    """Extract the features of every labeled token, as the model's own output layer reads them."""
    return Extractor(model, anatomy, (HEAD,), head_pooling=None, by_token=True)


def pooled_extractor(
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
    """Find the poolings of a model, and those that its own head computes.

    A pooling that equals the head's input (ViT's `cls`, GPT-2's `last`) is called `head`: what is
    solved there is saved as the plain class.

    Args:
        pooling: one of `POOLINGS`, `head`, or `auto` for all that the model has.
        rows: encoded rows; four of them are run.
        newly_initialized: the parameters that the checkpoint did not hold.
        layer: which hidden states are pooled.
        plain: whether the plain class can hold the head. If not, only texts have poolings, all
            under their own names: a sentence-transformers folder holds the head.

    Raises:
        ModelError: `pooling` or `layer` does not exist for this model.
    """
    import torch

    batch = {name: tensor.to(model.device) for name, tensor in sample_batch(rows, collate).items()}
    # eval mode comes first: with dropout no two passes would compare equal
    projected = projection.find(model.eval(), anatomy, newly_initialized, batch)
    # a projection stands between the poolings and the output layer, which could never equal then
    unpooled = Extractor(model, anatomy, (HEAD,), head_pooling=None, projection=projected)
    with unpooled.without_projection():
        with torch.inference_mode(), ActivationHook(model, anatomy, layer) as hook:
            logits = model(**batch).logits
        head_pooling = _head_pooling(hook, batch, logits) if hook.input.dim() > 2 else None
        poolings = _candidates(hook, head_pooling, pooling, batch, plain)
        stays_new = head_pooling is None and _has_new_layers(anatomy, projected, newly_initialized)
        # what new layers compute changes with the seed: their input is what can be kept
        kept_input = head_input.find(model, anatomy, batch) if stays_new else None
    options: dict[str, Any] = {"layer": layer, "plain": plain, "projection": projected}
    return Extractor(model, anatomy, poolings, head_pooling, head_input=kept_input, **options)


def _has_new_layers(
    anatomy: "Anatomy", projected: str | None, newly_initialized: tuple[str, ...]
) -> bool:
    """Return whether layers are new that stay as they are before the output layer."""
    solved = (f"{anatomy.output}.", f"{projected}.")
    return any(not name.startswith(solved) for name in newly_initialized)


def _candidates(
    hook: ActivationHook, head_pooling: str | None, pooling: str, batch: Batch, plain: bool
) -> tuple[str, ...]:
    """List the poolings to compute: `head` first, which stands for those that equal it."""
    attention_mask: Any = batch.get("attention_mask")
    mask = mask_of(hook.hidden, batch)
    features = hook.input
    if head_pooling is not None:
        features = pool(hook.input, attention_mask, head_pooling)
    available = POOLINGS if mask is not None else ()
    same = {p for p in available if plain and _equal(pool(hook.hidden, mask, p), features)}
    # sentence-transformers pools texts; of images only what the plain class reads can be saved
    can_save_poolings = attention_mask is not None and hook.model.main_input_name == "input_ids"
    others = [p for p in available if p in same or can_save_poolings]
    known = [HEAD, *others] if plain else others
    if pooling not in ("auto", *known) or not known:
        raise ModelError(
            f"strategy.pooling: pooling '{pooling}' cannot be saved as a standard checkpoint for "
            f"{type(hook.model).__name__}{'' if plain else ' with this head or layer'}; "
            f"known: {', '.join(('auto', *known)) if known else 'none'}"
        )
    # each pooling is stored and solved once, under the name that fits the plain class
    if pooling == "auto":
        return (HEAD, *(p for p in others if p not in same))
    return (HEAD if pooling in same else pooling,)


def _head_pooling(hook: ActivationHook, batch: Batch, logits: Any) -> str:
    """Find the pooling after which the output layer gives the model's logits."""
    output = hook.model.get_submodule(hook.anatomy.output)
    mask: Any = batch.get("attention_mask")
    for pooling in POOLINGS if mask is not None else ():
        pooled = pool(hook.input, mask, pooling)
        # mean_max has twice the width, which the output layer would not take
        if pooled.shape[-1] == hook.input.shape[-1] and _equal(output(pooled), logits):
            return pooling
    raise ModelError(
        f"linear_probe: {type(hook.model).__name__} reduces a sequence to one vector in a way that "
        f"is none of {', '.join(POOLINGS)}, so its head cannot be solved; use full or lora"
    )


def _equal(left: "torch.Tensor", right: "torch.Tensor") -> bool:
    import torch

    # wide enough for sums in another order, far narrower than two poolings of real texts are apart
    return left.shape == right.shape and torch.allclose(left, right, rtol=1e-4, atol=1e-5)
