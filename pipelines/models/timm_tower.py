"""The image tower of CLIP or SigLIP in timm's form: its config, its weights by timm's names."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from pipelines.core.labels import Labels
    from pipelines.models.section import Model

Weights = dict[str, "torch.Tensor"]

# model type -> timm's architecture of this form; every size follows from arguments
ARCHITECTURES = {"clip": "vit_base_patch16_clip_224", "siglip": "vit_base_patch16_siglip_224"}
NORM_EPS = {"clip": 1e-5, "siglip": 1e-6}  # of these architectures, which take no other
ACTIVATIONS = {"quick_gelu": "quick_gelu", "gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh"}
BLOCK_LAYERS = {
    "layer_norm1": "norm1",
    "self_attn.out_proj": "attn.proj",
    "layer_norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
POOLING_LAYERS = {
    "attention.out_proj": "proj",
    "layernorm": "norm",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
INTERPOLATIONS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # by PIL's numbers


def obstacle(config: Any, section: "Model") -> str | None:
    """Say why the tower of a pair cannot take timm's form; None where it can."""
    vision = config.vision_config
    if section.quantization:
        return f"weights are stored in {section.quantization}"
    if vision.hidden_act not in ACTIVATIONS:
        return f"timm has no activation '{vision.hidden_act}'"
    if vision.layer_norm_eps != NORM_EPS[config.model_type]:
        return f"timm's layer_norm_eps is {NORM_EPS[config.model_type]:g}, the tower's is another"
    if not getattr(vision, "vision_use_head", True):
        return "the tower has no pooling"
    return None


def wrapped_config(config: Any, processor: Any, section: "Model", labels: "Labels") -> Any:
    """Write sizes of the tower, and what its processor does, in the form of timm's wrapper."""
    from transformers import TimmWrapperConfig

    vision = config.vision_config
    seen = _seen(vision, processor, section)
    arguments = {
        "img_size": seen["input_size"][1:],
        "in_chans": vision.num_channels,
        "patch_size": vision.patch_size,
        "embed_dim": vision.hidden_size,
        "depth": vision.num_hidden_layers,
        "num_heads": vision.num_attention_heads,
        # timm rounds down
        "mlp_ratio": (vision.intermediate_size + 0.5) / vision.hidden_size,
        "act_layer": ACTIVATIONS[vision.hidden_act],
    }
    wrapped = TimmWrapperConfig(architecture=ARCHITECTURES[config.model_type], model_args=arguments)
    fields = {"pretrained_cfg": seen, "problem_type": config.problem_type, **labels.config}
    for name, value in fields.items():
        setattr(wrapped, name, value)
    return wrapped


def _seen(vision: Any, processor: Any, section: "Model") -> dict[str, Any]:
    """Describe what a processor does in the words of timm's `pretrained_cfg`."""
    side = section.image_size or vision.image_size
    crop, size = getattr(processor, "crop_size", None), processor.size
    edge = size.get("shortest_edge")
    is_cropped = bool(getattr(processor, "do_center_crop", False) and crop and edge)
    normalizes = processor.do_normalize
    return {
        "input_size": [vision.num_channels, side, side],
        "mean": [*processor.image_mean] if normalizes else [0.0] * vision.num_channels,
        "std": [*processor.image_std] if normalizes else [1.0] * vision.num_channels,
        "interpolation": INTERPOLATIONS.get(int(processor.resample), "bicubic"),
        "crop_pct": crop["height"] / edge if crop and edge and is_cropped else 1.0,
        "crop_mode": "center" if is_cropped else "squash",
    }


def weights(tower: Any, config: Any) -> Weights:
    """Name the weights of an image tower as timm does."""
    import torch

    old, new = tower.state_dict(), {}

    def rename(source: str, target: str) -> None:
        for kind in ("weight", "bias"):
            new[f"{target}.{kind}"] = old[f"{source}.{kind}"]

    new["patch_embed.proj.weight"] = old["embeddings.patch_embedding.weight"]
    new["pos_embed"] = old["embeddings.position_embedding.weight"][None]
    rename("post_layernorm", "norm")
    for block in range(config.vision_config.num_hidden_layers):
        source, target = f"encoder.layers.{block}", f"blocks.{block}"
        for layer, name in BLOCK_LAYERS.items():
            rename(f"{source}.{layer}", f"{target}.{name}")
        for kind in ("weight", "bias"):
            parts = [old[f"{source}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            new[f"{target}.attn.qkv.{kind}"] = torch.cat(parts)
    if config.model_type == "clip":
        new["cls_token"] = old["embeddings.class_embedding"][None, None]
        rename("pre_layrnorm", "norm_pre")
        return new
    new["patch_embed.proj.bias"] = old["embeddings.patch_embedding.bias"]
    new["attn_pool.latent"] = old["head.probe"]
    for layer, name in POOLING_LAYERS.items():
        rename(f"head.{layer}", f"attn_pool.{name}")
    for kind in ("weight", "bias"):
        query, *others = old[f"head.attention.in_proj_{kind}"].chunk(3)
        new[f"attn_pool.q.{kind}"], new[f"attn_pool.kv.{kind}"] = query, torch.cat(others)
    return new


def resampled(model: Any, positions: "torch.Tensor") -> "torch.Tensor":
    """Interpolate positions to the size of images that the model takes."""
    from timm.layers import resample_abs_pos_embed

    network = model.timm_model
    return resample_abs_pos_embed(
        positions, network.patch_embed.grid_size, num_prefix_tokens=network.num_prefix_tokens
    )
