"""The checkpoints that `ranking.py` ranks, and the data that they are ranked for.

Most are pretrained here, in seconds, each on other rows: what a source is worth for a target then
differs for a reason that is known. None has seen a row of a target for which it is ranked.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from defaults_data import table
from transfer import TEXT

IMAGE, AUDIO = "image_classification", "audio_classification"
PEOPLE = ("george", "jackson", "lucas")  # whose voices are sources; the others speak the target
FSDD = "fsdd/train.parquet"


@dataclass(frozen=True)
class Pretraining:
    """How a checkpoint comes about.

    Attributes:
        start: the network: "letters", "MiniLM", "MobileNet", "small text" or "small audio".
        path: of the rows it learns from, below `data/`; empty: it stays as it starts.
        is_shuffled: whether the labels are dealt out at random.
        by_people: rows spoken by PEOPLE, or by others; None: all rows.
    """

    start: str
    path: str = ""
    label: str = "label"
    task: Any = None
    rows: int = 2000
    is_shuffled: bool = False
    by_people: bool | None = None
    strategy: str = "full"
    training: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What checkpoints are ranked for: 300 rows of train, at most 500 to validate on.

    Attributes:
        candidates: names of PRETRAINED.
        train, validation: files below `data/`; the same: split in two.
    """

    task: Any
    candidates: tuple[str, ...]
    train: str
    validation: str
    text: str = ""
    by_people: bool | None = None


IMAGES: dict[str, Any] = {
    "start": "letters",
    "task": IMAGE,
    "strategy": "scratch",
    "training": {"num_train_epochs": 6, "learning_rate": 2e-3},
}
TEXTS: dict[str, Any] = {
    "start": "MiniLM",
    "task": TEXT,
    "rows": 1000,
    "training": {"num_train_epochs": 3},
}
MASKED: dict[str, Any] = {
    "start": "small text",
    "task": {"name": "masked_lm", "block_size": 64},
    "strategy": "scratch",
    "training": {"num_train_epochs": 3, "learning_rate": 1e-3},
}
SOUNDS: dict[str, Any] = {
    "start": "small audio",
    "path": FSDD,
    "task": AUDIO,
    "by_people": True,
    "strategy": "scratch",
    "training": {"num_train_epochs": 12, "learning_rate": 1e-3},
}
NEWS, MNIST = "ag_news_small/train.parquet", "mnist_t10k/test.parquet"
PRETRAINED = {
    "ResNet, letters": Pretraining("letters"),
    "ResNet, digits": Pretraining(path=MNIST, **IMAGES),
    "ResNet, objects": Pretraining(path="cifar10_small/train.parquet", **IMAGES),
    "ResNet, flowers": Pretraining(path="flowers5_128px/train.parquet", **IMAGES),
    "ResNet, shuffled digits": Pretraining(path=MNIST, is_shuffled=True, **IMAGES),
    "ResNet, random": Pretraining("random letters"),
    "MobileNet": Pretraining("MobileNet"),
    "MiniLM": Pretraining("MiniLM"),
    "MiniLM, reviews": Pretraining(path="amazon_multidomain/electronics.parquet", **TEXTS),
    "MiniLM, news": Pretraining(path=NEWS, **TEXTS),
    "MiniLM, intents": Pretraining(path="banking77/train.parquet", **TEXTS),
    "MiniLM, shuffled news": Pretraining(path=NEWS, is_shuffled=True, **TEXTS),
    "MiniLM, random": Pretraining("random MiniLM"),
    "small, words of reviews": Pretraining(path="amazon_multidomain/books.parquet", **MASKED),
    "small, words of news": Pretraining(path=NEWS, **MASKED),
    "AST, digits": Pretraining(**SOUNDS),
    "AST, speakers": Pretraining(label="speaker", **SOUNDS),
    "AST, shuffled digits": Pretraining(is_shuffled=True, **SOUNDS),
    "AST, random": Pretraining("small audio"),
}
NAMES = tuple(PRETRAINED)
TARGETS = {
    "usps": Target(IMAGE, NAMES[:7], "usps_small/train.parquet", "usps_small/test.parquet"),
    "cifar": Target(
        IMAGE,
        tuple(name for name in NAMES[:7] if name != "ResNet, objects"),
        "cifar10_small/train.parquet",
        "cifar10_small/test.parquet",
    ),
    "sst2": Target(
        TEXT, NAMES[7:15], "sst2/train.parquet", "sst2/validation.parquet", text="sentence"
    ),
    "news": Target(
        TEXT,
        tuple(name for name in NAMES[7:15] if "news" not in name),
        "ag_news_small/test.parquet",
        "ag_news_small/test.parquet",
        text="text",
    ),
    "fsdd": Target(AUDIO, NAMES[15:], FSDD, FSDD, by_people=False),
}


def rows_of(path: Path, by_people: bool | None, num_rows: int | None = None) -> Dataset:
    """Read a table in a fixed order, whole or its first rows."""
    rows = table(path)
    order = np.random.default_rng(0).permutation(len(rows))
    if by_people is not None:
        speakers = np.array(rows["speaker"][:])[order]
        order = order[np.isin(speakers, PEOPLE) == by_people]
    return rows.select(order[:num_rows])


def write_target(shared: Path, name: str, folder: Path) -> Path:
    """Write `train.parquet` and `validation.parquet` of a target."""
    target, data = TARGETS[name], shared / "data"
    folder.mkdir(parents=True, exist_ok=True)
    train = rows_of(data / target.train, target.by_people)
    held_out = train
    if target.validation != target.train:
        held_out = rows_of(data / target.validation, target.by_people)
    train.select(range(300)).to_parquet(str(folder / "train.parquet"))
    last = min(800, len(held_out))
    held_out.select(range(300, last)).to_parquet(str(folder / "validation.parquet"))
    return folder
