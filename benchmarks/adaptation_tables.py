"""What `adaptation.py` writes: one speaker apart, other colors, networks from scratch."""

from pathlib import Path
from typing import Any

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
NUM_PICTURES, SOFTNESS = 1000, 0.6  # of the contrast, what is left


def write_speaker(speaker: str, data: Path, folder: Path) -> None:
    """Write the spoken digits of one person as the target, and those of all others."""
    rows = _read(data / "fsdd" / "train.parquet")
    is_target = [name == speaker for name in rows["speaker"]]
    for name, chosen in (("target", True), ("source", False)):
        ids = [row for row, value in enumerate(is_target) if value == chosen]
        rows.select(ids).select_columns(["audio", "label"]).to_parquet(folder / f"{name}.parquet")


def write_other_colors(data: Path, folder: Path) -> None:
    """Write pictures, and others as a camera that mixes up its colors would take them."""
    from datasets import Image

    source = _read(data / "cifar10_small" / "train.parquet").shuffle(seed=0)
    source.select(range(2 * NUM_PICTURES)).to_parquet(folder / "source.parquet")
    rows = _read(data / "cifar10_small" / "test.parquet").shuffle(seed=0)
    rows = rows.select(range(NUM_PICTURES)).cast_column("image", Image())
    shifted = rows.map(_shift, load_from_cache_file=False, keep_in_memory=True)
    shifted.to_parquet(folder / "target.parquet")


def _shift(row: dict[str, Any]) -> dict[str, Any]:
    """Make blue of red, red of green and green of blue, with less contrast and more light."""
    import numpy as np
    from PIL import Image

    values = np.asarray(row["image"].convert("RGB"))[:, :, [1, 2, 0]]
    lighter = values * SOFTNESS + 255 * (1 - SOFTNESS)
    return {"image": Image.fromarray(lighter.round().astype(np.uint8))}


def _read(file: Path) -> Any:
    from datasets import load_dataset

    return load_dataset("parquet", data_files=str(file), split="train")


def small_ast(folder: Path) -> Path:
    """Save a small transformer that reads spectrograms, with random weights."""
    from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

    sizes: dict[str, Any] = {"max_length": 96, "num_mel_bins": 32}
    strides = {"patch_size": 8, "frequency_stride": 8, "time_stride": 8}
    layers = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    ASTModel(ASTConfig(**sizes, **strides, **layers, intermediate_size=128)).save_pretrained(folder)
    ASTFeatureExtractor(**sizes).save_pretrained(folder)
    return folder


def resnet(folder: Path) -> Path:
    """Save a small network for images of 28 pixels, and its processor."""
    from transformers import ResNetConfig, ResNetModel, ViTImageProcessor

    sizes: dict[str, Any] = {"embedding_size": 16, "hidden_sizes": [32, 64], "depths": [1, 1]}
    ResNetModel(ResNetConfig(layer_type="basic", **sizes)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 28, "width": 28}).save_pretrained(folder)
    return folder
