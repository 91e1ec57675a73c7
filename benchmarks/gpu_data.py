"""Texts, images and sounds for `gpu.py`: drawn, as large as real ones."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np

MAX_LENGTH = 128  # tokens
RATE = 16_000  # samples of sound in a second
SPLITS = {"train": 1.0, "validation": 1 / 32}  # of the number of rows
CLASSES = ("no", "yes")


def write_texts(folder: Path, num_rows: int, shortest: int) -> None:
    """Write texts as long as those of SST-2 (13 tokens on average, many short), or longer ones."""
    from datasets import Dataset

    folder.mkdir(parents=True)
    for split, share in SPLITS.items():
        random, texts = Random(split), []
        for _ in range(max(8, round(share * num_rows))):
            length = shortest + min(50, int(random.lognormvariate(1.9, 0.8)))
            texts.append(" ".join(f"w{random.randrange(1000)}" for _ in range(length)))
        labels = [row % 2 for row in range(len(texts))]
        Dataset.from_dict({"sentence": texts, "label": labels}).to_parquet(
            str(folder / f"{split}.parquet")
        )


def _files(folder: Path, num_rows: int, suffix: str) -> Iterator[tuple[Path, int]]:
    """Yield `<split>/<class>/<number>.<suffix>` and its number; folders are made."""
    for split, share in SPLITS.items():
        for number in range(max(8, round(share * num_rows))):
            file = folder / split / CLASSES[number % 2] / f"{number}.{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            yield file, number


def write_images(folder: Path, num_rows: int, side: int) -> float:
    """Write JPEGs of smooth noise, which take as long to decode as photographs."""
    from PIL import Image

    random = np.random.default_rng(0)
    for file, _ in _files(folder, num_rows, "jpg"):
        coarse = random.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((side, side * 3 // 4), Image.Resampling.BICUBIC)
        image.save(file, quality=90)
    return 0.0  # a model of images sees them at one size


def write_sounds(folder: Path, num_rows: int, seconds: tuple[float, float]) -> float:
    """Write clips of noise; return their mean number of samples."""
    import soundfile

    random, sizes = np.random.default_rng(0), []
    for file, _ in _files(folder, num_rows, "wav"):
        sizes.append(int(RATE * random.uniform(*seconds)))
        soundfile.write(file, 0.1 * random.standard_normal(sizes[-1]).astype("float32"), RATE)
    return float(np.mean(sizes))


def num_tokens(folder: Path, checkpoint: Path) -> float:
    """Return the mean number of tokens of a text, those of the model's own among them."""
    from pyarrow.parquet import read_table
    from transformers import AutoTokenizer

    texts = read_table(folder / "train.parquet")["sentence"].to_pylist()[:4096]
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    encoded = tokenizer(texts, truncation=True, max_length=MAX_LENGTH)["input_ids"]
    return float(np.mean([*map(len, encoded)]))
