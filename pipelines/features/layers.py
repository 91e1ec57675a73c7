"""Which blocks of an encoder features come from; what is saved computes no others.

An encoder that ends after some of its blocks is one whose config says so: smaller, faster, and
loaded like any other. What follows the last block (GPT-2's, ViT's last normalization) follows the
chosen one.
"""

from typing import TYPE_CHECKING, Any, NoReturn

from pipelines.core.errors import ModelError
from pipelines.core.upstream import attention_implementation, set_attention_implementation

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy

DEPTH = "num_hidden_layers"  # whatever a family calls it, its config answers to this name
# fields that the config derives from the depth by itself, and refuses where they contradict it
DERIVED_FIELDS = ("stage_names", "out_features", "out_indices")


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
    removed = tuple(f"{name}.{i}." for i in range(layer, num_blocks))
    states = model.state_dict().items()
    remaining = {key: tensor.shape for key, tensor in states if not key.startswith(removed)}
    # Tried, since a config may derive other shapes from a smaller depth: the folder that is saved
    # would not load.
    shorter = _shorter(model.config, num_blocks, layer)
    if _shapes(type(model), shorter) != remaining or not _are_alike(blocks):
        _refuse(f"{layer}: the first {layer} of {num_blocks} blocks are no {kind} by themselves")
    del blocks[layer:]
    _replace_config(model, shorter)


def output_all_hidden_states(model: Any) -> None:
    """Make the encoder return the hidden states of all blocks, also once it is saved."""
    model.config.output_hidden_states = True


def mean(outputs: Any) -> Any:
    """Average the hidden states of all blocks, embeddings left out: (rows, tokens, dim).

    Raises:
        ModelError: `outputs` holds no `hidden_states`.
    """
    import torch

    states = getattr(outputs, "hidden_states", None)
    if not states:
        _refuse(f"mean: a {type(outputs).__name__} holds no hidden states of the single blocks")
    # as sentence-transformers' WeightedLayerPooling with layer_start=1, which the saved model has
    return torch.stack(states[1:]).mean(0)


def _refuse(reason: str) -> NoReturn:
    raise ModelError(f"linear_probe: strategy.layer {reason}; use layer=last")


def _shorter(config: Any, num_blocks: int, layer: int) -> Any:
    """Copy a config with fewer blocks, and shorter lists of what each block is (`layer_types`)."""
    fields = {key: value for key, value in config.to_dict().items() if key not in DERIVED_FIELDS}
    for key, value in fields.items():
        if key.endswith("layer_types") and isinstance(value, list) and len(value) == num_blocks:
            fields[key] = value[:layer]
    fields[config.attribute_map.get(DEPTH, DEPTH)] = layer
    shorter = type(config).from_dict(fields)
    set_attention_implementation(shorter, attention_implementation(config))
    return shorter


def _shapes(kind: type, config: Any) -> dict[str, Any]:
    """List the weights of the model that `config` describes; on "meta" it takes no memory."""
    import torch

    with torch.device("meta"):
        model = kind(config)
    return {key: tensor.shape for key, tensor in model.state_dict().items()}


def _are_alike(blocks: Any) -> bool:
    """Return whether all blocks are of one width, so that the head could follow any of them.

    In a pyramid, whose stages widen, it cannot.
    """
    widths = set()
    for block in blocks:
        widths.add(max(p.shape[-1] for p in block.parameters()))
    return len(widths) == 1


def _replace_config(model: Any, config: Any) -> None:
    """Replace the config of the model and of all modules that share it."""
    before = model.config
    for module in model.modules():
        if getattr(module, "config", None) is before:
            module.config = config
