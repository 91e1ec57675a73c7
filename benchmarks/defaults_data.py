"""The data sets of `defaults.py`, and the rows of each draw.

Settings of Graft may be decided on DECIDING only. REPORTED is the half that decided nothing: what
is read there is for reporting. Both were named before the first run.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from datasets import Dataset

DECIDING = ("sst2", "banking77", "flowers5_128px", "go_emotions", "mnist_t10k", "fsdd")
REPORTED = (
    "ag_news_small",
    "amazon_books",
    "cola",
    "mrpc",
    "stsb",
    "wnut17",
    "cifar10_small",
    "usps_small",
)
DRAWS = (1, 2, 3, 4, 5)
SIZES = ("8", "16", "32", "1000", "all")  # of each class; from "1000" on, rows in all
SINGLE, MULTI, NUMBER, TOKENS = "single", "multi", "number", "tokens"
MINILM, MOBILENET = "all-MiniLM-L6-v2", "mobilenetv2_100-in1k"
TEST_SHARE = 0.3  # where a data set has one table only


@dataclass(frozen=True)
class DataSet:
    """Where the rows are, and what is asked of them.

    Attributes:
        num_groups: "8 a class" are 8 of each class, or 8 rows for each label, type or full point.
        checkpoint: a folder of SHARED/checkpoints; None: none is at hand for such data.
        test: the table that is test; the one of train: a share is cut off it.
    """

    num_groups: int
    inputs: tuple[str, ...]
    label: str = "label"
    kind: str = SINGLE
    metric: str = "accuracy"
    task: str = "text_classification"
    checkpoint: str | None = MINILM
    folder: str = ""
    train: str = "train"
    test: str = "test"


def _images(num_groups: int, **fields: str) -> DataSet:
    task = "image_classification"
    return DataSet(num_groups, ("image",), task=task, checkpoint=MOBILENET, **fields)


PAIR = ("sentence1", "sentence2")
DATA = {
    "ag_news_small": DataSet(4, ("text",)),
    "sst2": DataSet(2, ("sentence",)),
    "banking77": DataSet(77, ("text",)),
    "amazon_books": DataSet(2, ("text",), folder="amazon_multidomain", train="books", test="books"),
    # GLUE hides the labels of CoLA's test: validation stands for it, and for nothing else
    "cola": DataSet(2, ("sentence",), metric="matthews", test="validation"),
    "mrpc": DataSet(2, PAIR),
    "go_emotions": DataSet(28, ("text",), label="labels", kind=MULTI, metric="micro F1"),
    "stsb": DataSet(5, PAIR, kind=NUMBER, metric="pearson"),
    "wnut17": DataSet(
        6, ("tokens",), "ner_tags", TOKENS, metric="entity F1", task="token_classification"
    ),
    "flowers5_128px": _images(5),
    "cifar10_small": _images(10),
    "usps_small": _images(10),
    "mnist_t10k": _images(10, train="test", test="test"),
    "fsdd": DataSet(10, ("audio",), task="audio_classification", checkpoint=None),
}


def write_draw(
    shared: Path, name: str, size: str, draw: int, test_rows: int | None, folder: Path
) -> int:
    """Write `train.parquet` and `test.parquet` of a draw to `folder`; return the rows of train.

    The rows depend on data, size and draw alone, so that all arms have the same; those of test,
    the first `test_rows` in a fixed order, on the data alone.
    """
    data = DATA[name]
    train, test = _splits(shared, name)
    columns = [*data.inputs, data.label]
    train = train.select(_chosen(train, data, size, draw)).select_columns(columns)
    order = np.random.default_rng(0).permutation(len(test))[:test_rows]
    folder.mkdir(parents=True, exist_ok=True)
    train.to_parquet(str(folder / "train.parquet"))
    test.select(order).select_columns(columns).to_parquet(str(folder / "test.parquet"))
    return len(train)


def sizes(shared: Path, name: str) -> list[str]:
    """Return the sizes that differ on this data set, by what its table holds."""
    num_rows = len(_splits(shared, name)[0])
    few = [size for size in SIZES[:3] if int(size) * DATA[name].num_groups < num_rows]
    return [*few, *(["1000"] if num_rows > 1000 else []), "all"]


def draws(size: str) -> tuple[int, ...]:
    """Return the draws of a size: of all rows there is one."""
    return DRAWS[:1] if size == "all" else DRAWS


def _splits(shared: Path, name: str) -> tuple[Dataset, Dataset]:
    data = DATA[name]
    folder = shared / "data" / (data.folder or name)
    train = table(folder / f"{data.train}.parquet")
    if data.train != data.test:
        return train, table(folder / f"{data.test}.parquet")
    order = np.random.default_rng(0).permutation(len(train))
    num_test = int(TEST_SHARE * len(train))
    return train.select(order[num_test:]), train.select(order[:num_test])


def table(path: Path) -> Dataset:
    """Read a table without a copy in a cache; names of classes are in its schema."""
    return Dataset(pq.read_table(path))


def _chosen(train: Dataset, data: DataSet, size: str, draw: int) -> np.ndarray:
    order = np.random.default_rng(draw).permutation(len(train))
    if size == "all":
        return order
    if size == "1000":
        return order[:1000]
    if data.kind != SINGLE:
        return order[: int(size) * data.num_groups]
    labels = np.asarray(train[data.label])[order]
    of_classes = [order[labels == label][: int(size)] for label in np.unique(labels)]
    return np.random.default_rng(draw).permutation(np.concatenate(of_classes))
