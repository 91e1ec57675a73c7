"""Which blocks of an encoder features come from; what is saved computes no others.

An encoder that ends after some of its blocks is one whose config says so: smaller, faster, and
loaded like any other. What follows the last block (GPT-2's, ViT's last normalization) follows the
chosen one.
"""

from typing import TYPE_CHECKING, Any, NoReturn

from pipelines.core.errors import ModelError

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy

DEPTH = "num_hidden_layers"  # whatever a family calls it, its config answers to this name
DERIVED = ("stage_names", "out_features", "out_indices")  # from the number, by the config itself


def truncate(model: Any, anatomy: "Anatomy", layer: int) -> None:
    """Let `model` end after block `layer`, counted from 1, and its config say so.

    Whether a config can say so is tried: the model that it describes must have exactly the weights
    that are left.

    Raises:
        ModelError: there are fewer blocks, or the config cannot say that there are.
    """
    from torch.nn import ModuleList

    kind, name = type(model).__name__, anatomy.blocks[-1].rpartition(".")[0]
    blocks = model.get_submodule(name)
    num_blocks = len(blocks) if isinstance(blocks, ModuleList) else None
    if num_blocks is None or num_blocks != getattr(model.config, DEPTH, None):
        _refuse(f"{layer}: the config of {kind} has no number of blocks that could be smaller")
    if layer > num_blocks:
        _refuse(f"{layer}: {kind} has {num_blocks} blocks")
    removed = [f"{name}.{i}." for i in range(layer, num_blocks)]
    left = {
        key: tensor.shape
        for key, tensor in model.state_dict().items()
        if not key.startswith(tuple(removed))
    }
    shorter = _shorter(model.config, num_blocks, layer)
    if _shapes(type(model), shorter) != left or not _are_alike(blocks):
        _refuse(f"{layer}: the first {layer} of {num_blocks} blocks are no {kind} of their own")
    del blocks[layer:]
    _replace(model, shorter)


def output_all_hidden_states(model: Any) -> None:
    """Let the encoder give what each of its blocks gives, and its config say so."""
    model.config.output_hidden_states = True


def mean(outputs: Any) -> Any:
    """(rows, tokens, dim), the mean of what the blocks give; embeddings are not among them."""
    import torch

    states = getattr(outputs, "hidden_states", None)
    if not states:
        _refuse(f"mean: a {type(outputs).__name__} does not hold what each block gives")
    return torch.stack(states[1:]).mean(0)


def _refuse(why: str) -> NoReturn:
    raise ModelError(f"linear_probe: strategy.layer {why}; use layer=last")


def _shorter(config: Any, num_blocks: int, layer: int) -> Any:
    """The config of fewer blocks; its lists with a kind for each block (`layer_types`) end too."""
    fields = {key: value for key, value in config.to_dict().items() if key not in DERIVED}
    fields |= {
        key: value[:layer]
        for key, value in fields.items()
        if key.endswith("layer_types") and isinstance(value, list) and len(value) == num_blocks
    }
    fields[config.attribute_map.get(DEPTH, DEPTH)] = layer
    shorter = type(config).from_dict(fields)
    shorter._attn_implementation = config._attn_implementation
    return shorter


def _shapes(kind: type, config: Any) -> dict[str, Any]:
    """What a model of `config` holds; it takes no memory."""
    import torch

    with torch.device("meta"):
        model = kind(config)
    return {key: tensor.shape for key, tensor in model.state_dict().items()}


def _are_alike(blocks: Any) -> bool:
    """Whether what follows the last block could as well follow another: not in a pyramid, whose
    stages widen."""
    widths = {max(p.shape[-1] for p in block.parameters()) for block in blocks}
    return len(widths) == 1


def _replace(model: Any, config: Any) -> None:
    """Wherever the model keeps its config."""
    before = model.config
    for module in model.modules():
        if getattr(module, "config", None) is before:
            module.config = config
