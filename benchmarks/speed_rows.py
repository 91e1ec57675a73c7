"""Models and rows for the arms of `speed.py` that are not Graft's."""

from pathlib import Path
from typing import Any

SIDE = 224


def load(work: dict[str, Any]) -> tuple[Any, Any]:
    """Load the model with a head for the classes of train, and its processor."""
    import transformers

    from pipelines.tasks.image import timm_config as timm_checkpoint

    classes = len(set(rows_of(work, "train")["label"]))
    config = transformers.AutoConfig.from_pretrained(work["model"], num_labels=classes)
    timm_checkpoint.complete(config)
    if work["text"]:
        auto, read = transformers.AutoModelForSequenceClassification, transformers.AutoTokenizer
    else:
        auto, read = transformers.AutoModelForImageClassification, transformers.AutoImageProcessor
    model = auto.from_pretrained(work["model"], config=config, ignore_mismatched_sizes=True)
    return model, read.from_pretrained(work["model"])


def rows_of(work: dict[str, Any], split: str) -> Any:
    """Read a split, as many rows as the recipe takes."""
    from datasets import load_dataset

    folder = Path(work["data"]["path"])
    rows = load_dataset("parquet", data_files=str(folder / f"{split}.parquet"))["train"]
    limit = work["data"]["limit"].get(split)
    return rows.shuffle(seed=0).select(range(min(limit or len(rows), len(rows))))


def texts_for(work: dict[str, Any], tokenizer: Any, padding: Any) -> tuple[Any, Any]:
    """Encode train as run_glue.py does, whose `padding` is "max_length"; False: by the batch."""
    from transformers import DataCollatorWithPadding, default_data_collator

    def encode(batch: Any) -> Any:
        return tokenizer(batch["sentence"], padding=padding, max_length=128, truncation=True)

    rows = rows_of(work, "train").map(encode, batched=True)
    return rows, default_data_collator if padding else DataCollatorWithPadding(tokenizer)


def images_for(work: dict[str, Any], processor: Any) -> tuple[Any, Any]:
    """Read train as run_image_classification.py does: an image is decoded each time it is read."""
    import torch
    from torchvision.transforms import v2
    from transformers import default_data_collator

    transform = v2.Compose(
        [
            v2.Resize(256),
            v2.CenterCrop(SIDE),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )

    def read(batch: Any) -> Any:
        pixels = [transform(image.convert("RGB")) for image in batch["image"]]
        return {"pixel_values": pixels, "labels": batch["label"]}

    return rows_of(work, "train").with_transform(read), default_data_collator


def batches_of(work: dict[str, Any], tokenizer: Any, split: str, size: int = 64) -> Any:
    """Yield batches of encoded texts, sorted by length."""
    texts = tokenizer(list(rows_of(work, split)["sentence"]), truncation=True, max_length=128)
    ids = sorted(texts["input_ids"], key=len)
    for start in range(0, len(ids), size):
        yield tokenizer.pad({"input_ids": ids[start : start + size]}, return_tensors="pt")


def images_of(work: dict[str, Any], processor: Any, split: str, size: int = 64) -> Any:
    """Yield batches of images, decoded when they are needed."""
    rows = rows_of(work, split)
    for start in range(0, len(rows), size):
        images = [image.convert("RGB") for image in rows[start : start + size]["image"]]
        yield processor(images, return_tensors="pt")
