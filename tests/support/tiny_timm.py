"""Tiny checkpoints in timm's own format, which transformers wraps.

    timm_checkpoint(folder, "timm-vgg")     a folder as `timm.models.save_for_hf` writes it

Unlike the others they hold a classifier, of other classes. timm's VGG takes no widths: a narrow
one is registered here, as a user of timm would register an architecture.
"""

from pathlib import Path
from typing import Any

SIDE = 32  # pixels of an image
NUM_CLASSES = 10  # of the classifier that the checkpoint brings along

# family -> the architecture, and arguments of its builder
TIMM_FAMILIES: dict[str, dict[str, Any]] = {
    "timm-vgg": {"architecture": "tiny_vgg"},
    "timm-resnet": {
        "architecture": "resnet18",
        "layers": [1, 1, 1, 1],
        "channels": [8, 8, 16, 16],
        "stem_width": 8,
    },
    "timm-mobilenetv2": {"architecture": "mobilenetv2_035"},
    "timm-efficientnet": {"architecture": "test_efficientnet"},
}
# takes no widths, and images of 75 pixels at least: left out where every family is tested
FULL_SIZE: dict[str, dict[str, Any]] = {"timm-inception": {"architecture": "inception_v3"}}


def timm_checkpoint(folder: Path, family: str) -> Path:
    """Save a classifier with the same random weights every time, by timm alone."""
    import timm
    import torch

    register()
    arguments = dict((TIMM_FAMILIES | FULL_SIZE)[family])
    side = 75 if family in FULL_SIZE else SIDE
    with torch.random.fork_rng():
        torch.manual_seed(0)
        name = arguments.pop("architecture")
        model = timm.create_model(name, num_classes=NUM_CLASSES, **arguments)
        settle_statistics(model, side)
    seen = {"input_size": (3, side, side), "crop_pct": 1.0}
    timm.models.save_for_hf(model, folder, safe_serialization=True, data_config=seen)
    return folder


def settle_statistics(model: Any, side: int = SIDE) -> None:
    """Batch normalization that has seen images: with its first values hardly anything gets through
    the random weights of a deep convnet, and every image has the same features."""
    import torch

    layers = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 1.0
    if layers:
        with torch.no_grad():
            model.train()(torch.randn(16, 3, side, side) + torch.randn(16, 3, 1, 1))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def register() -> None:
    """Make `tiny_vgg` known to timm."""
    from timm.models import build_model_with_cfg, is_model, register_model
    from timm.models.vgg import VGG

    def tiny_vgg(pretrained: bool = False, **arguments: Any) -> VGG:
        arguments["pretrained_cfg"] = {"input_size": (3, SIDE, SIDE), "classifier": "head.fc"}
        widths = [8, "M", 16, "M", 16, "M"]
        return build_model_with_cfg(
            VGG, "tiny_vgg", pretrained, model_cfg=widths, mlp_ratio=0.004, **arguments
        )

    if not is_model("tiny_vgg"):
        register_model(tiny_vgg)
