"""Examples for the plain Trainer of `gpu_arms.py`, as Hugging Face's example scripts make them."""

from pathlib import Path
from typing import Any

from gpu_data import CLASSES, MAX_LENGTH, RATE


def rows_for(work: dict[str, Any], padding: Any) -> tuple[Any, Any]:
    """Return rows and what makes a batch of them.

    Args:
        padding: of texts: "max_length", as run_glue.py has it, or False: by the batch.
    """
    make = {"bert": _texts, "vit": _images, "wav2vec2": _sounds}[work["kind"]]
    return make(work, padding)


def _texts(work: dict[str, Any], padding: Any) -> tuple[Any, Any]:
    """As run_glue.py: encoded once, before training."""
    from pyarrow.parquet import read_table
    from transformers import AutoTokenizer, DataCollatorWithPadding, default_data_collator

    tokenizer = AutoTokenizer.from_pretrained(work["checkpoint"])
    table = read_table(Path(work["data"]) / "train.parquet").slice(0, 8192)
    encoded = tokenizer(
        table["sentence"].to_pylist(), padding=padding, max_length=MAX_LENGTH, truncation=True
    )
    labels = table["label"].to_pylist()
    rows = [
        {"label": label, **{name: values[row] for name, values in encoded.items()}}
        for row, label in enumerate(labels)
    ]
    return rows, default_data_collator if padding else DataCollatorWithPadding(tokenizer)


class FileRows:
    """Files that are read and transformed whenever they are asked for."""

    def __init__(self, folder: Path, read: Any) -> None:
        self._files = sorted((folder / "train").glob("*/*"))
        self._read = read

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, row: int) -> dict[str, Any]:
        file = self._files[row]
        return {**self._read(file), "labels": CLASSES.index(file.parent.name)}


def _images(work: dict[str, Any], _: Any) -> tuple[Any, Any]:
    """As run_image_classification.py evaluates: resized, cropped, normalized, each time anew."""
    from PIL import Image
    from torchvision import transforms
    from transformers import AutoImageProcessor, default_data_collator

    processor = AutoImageProcessor.from_pretrained(work["checkpoint"])
    side = processor.size["height"]
    transform = transforms.Compose(
        [
            transforms.Resize(side),
            transforms.CenterCrop(side),
            transforms.ToTensor(),
            transforms.Normalize(processor.image_mean, processor.image_std),
        ]
    )

    def read(file: Path) -> dict[str, Any]:
        return {"pixel_values": transform(Image.open(file).convert("RGB"))}

    return FileRows(Path(work["data"]), read), default_data_collator


def _sounds(work: dict[str, Any], _: Any) -> tuple[Any, Any]:
    """As run_audio_classification.py: whole clips, padded by the batch."""
    import soundfile
    from transformers import AutoFeatureExtractor, DataCollatorWithPadding

    extractor = AutoFeatureExtractor.from_pretrained(work["checkpoint"])

    def read(file: Path) -> dict[str, Any]:
        samples, _ = soundfile.read(file, dtype="float32")
        return {"input_values": extractor(samples, sampling_rate=RATE)["input_values"][0]}

    return FileRows(Path(work["data"]), read), DataCollatorWithPadding(extractor)
