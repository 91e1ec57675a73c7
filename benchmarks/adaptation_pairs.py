"""Sources and targets of `adaptation.py` and `after_training.py`, and what is trained on them."""

from collections.abc import Callable
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import adaptation_tables as tables

TEXT = {"task": {"name": "text_classification", "max_length": 64}, "strategy": "full"}
IMAGE = {"task": "image_classification", "strategy": "scratch"}
SOUND = {"task": "audio_classification", "strategy": "scratch"}
FULL = {**IMAGE, "strategy": "full"}
FROZEN = "linear_probe"  # which no term of a loss reaches
MINILM, MOBILENET = "all-MiniLM-L6-v2", "mobilenetv2_100-in1k"
REVIEWS = {"max_steps": 90, "per_device_train_batch_size": 16}
SPEECH = {"max_steps": 1000, "per_device_train_batch_size": 32, "learning_rate": 1e-3}
PICTURES = {"max_steps": 90, "per_device_train_batch_size": 16}
DIGITS = {"max_steps": 1000, "per_device_train_batch_size": 32, "learning_rate": 1e-3}
USPS = {"path": "usps_small", "splits": {"train": "train.parquet", "test": "test.parquet"}}
MNIST = {"path": "mnist_t10k", "splits": {"train": "test.parquet"}, "limit": {"train": 2000}}
SCANS = {"source": "sklearn", "path": "digits"}  # of 8 x 8 pixels
# tables that a pair writes
WRITTEN = (
    {"path": "source.parquet", "columns": {"label": "label"}, "limit": {"train": 2000}},
    {"path": "target.parquet", "columns": {"label": "label"}},
)


def reviews(name: str) -> dict[str, Any]:
    """Return the section of reviews of one kind of product."""
    columns = {"text": "text", "label": "label"}
    return {"path": f"amazon_multidomain/{name}.parquet", "columns": columns}


class Pair(NamedTuple):
    """A source and a target, and what is trained on them.

    Attributes:
        sections: of the recipe.
        checkpoint: a folder of SHARED; None: a network from scratch.
        source, target: sections of data.
        write: writes `source.parquet` and `target.parquet` into a folder, where they are no files
            of SHARED.
    """

    sections: dict[str, Any]
    checkpoint: str | None
    training: dict[str, Any]
    source: dict[str, Any]
    target: dict[str, Any]
    write: Callable[[Path, Path], None] | None = None


def review_pair(source: str, target: str, strategy: str = "full") -> Pair:
    """Return two kinds of product; the first two pairs are scored on all reviews of the target."""
    other, training = reviews(target), {} if strategy == FROZEN else REVIEWS
    if strategy != "full" or (source, target) not in WHOLE:
        other = {**other, "limit": {"train": 1000, "test": 1000}}
    return Pair({**TEXT, "strategy": strategy}, MINILM, training, reviews(source), other)


WHOLE = (("books", "electronics"), ("books", "kitchen"))
KINDS = ("books", "electronics", "kitchen", "dvd")
PAIRS = {
    "usps to mnist": Pair(IMAGE, None, DIGITS, USPS, MNIST),
    "mnist to usps": Pair(IMAGE, None, DIGITS, MNIST, USPS),
    "scans to mnist": Pair(IMAGE, None, DIGITS, SCANS, MNIST),
    "mnist to scans": Pair(IMAGE, None, DIGITS, MNIST, SCANS),
    "scans to usps": Pair(IMAGE, None, DIGITS, SCANS, USPS),
    "usps to scans": Pair(IMAGE, None, DIGITS, USPS, SCANS),
    **{f"{a} to {b}": review_pair(a, b) for a, b in permutations(KINDS, 2)},
    **{f"{a} to {b}, lora": review_pair(a, b, "lora") for a, b in permutations(KINDS, 2)},
    **{f"{a} to {b}, frozen": review_pair(a, b, FROZEN) for a, b in permutations(KINDS, 2)},
    **{
        f"others to {name}": Pair(
            SOUND, None, SPEECH, *WRITTEN, write=partial(tables.write_speaker, name)
        )
        for name in tables.SPEAKERS
    },
    "cifar10 to other colors": Pair(
        FULL, MOBILENET, PICTURES, *WRITTEN, write=tables.write_other_colors
    ),
}


def data_of(shared: Path, section: dict[str, Any]) -> dict[str, Any]:
    """Return a section of data with whole paths."""
    if section.get("source") == "sklearn":
        return {**section}
    return {"source": "files", **section, "path": str(shared / "data" / section["path"])}
