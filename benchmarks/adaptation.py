"""Adaptation to an unlabeled target beside training on the source alone.

    python benchmarks/adaptation.py SHARED RESULTS [--pair NAME …] [--arm NAME …] [--seed N …]

`SHARED` holds `data/<name>/…parquet` and `checkpoints/<name>/`. Every run is a line of the file
RESULTS; what is there already is not run again. Then prints a table: accuracy on the target in per
cent, mean and deviation over seeds, whose labels nothing but this score has seen. The last
checkpoint counts, and nothing is chosen by the target.

Texts: MiniLM, `full` or `lora`, 1,000 reviews of one kind of product, of at most 64 tokens, 90
steps of 16. Digits: a ResNet of four convolutions from scratch, 1,000 steps of 32. Sounds: a small
AST from scratch, spoken digits of five people, 300 steps of 32; the sixth is the target. Pictures:
MobileNetV2 at 64 pixels, `full`, 1,000 of CIFAR-10, 90 steps of 16; the target are 1,000 others
whose colors are dealt out anew.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import adaptation_tables as tables
from bare_recipe import LAST, measure
from spread import mean_and_deviation
from sweep import Sweep

METHODS = ("deep_coral", "mmd", "mcc", "dann", "cdan")
# an arm that is augmented trains on other views of the source's pictures
ARMS = ("source only", *METHODS, "source only, augmented", "deep_coral, augmented")
AUGMENTATION = {"policy": "rand_augment", "erasing": 0.5}
SEEDS = (1, 2, 3)
TEXT = {"task": {"name": "text_classification", "max_length": 64}, "strategy": "full"}
IMAGE = {"task": "image_classification", "strategy": "scratch"}
SOUND = {"task": "audio_classification", "strategy": "scratch"}
FULL = {**IMAGE, "strategy": "full"}
MINILM, MOBILENET = "all-MiniLM-L6-v2", "mobilenetv2_100-in1k"
REVIEWS = {"max_steps": 90, "per_device_train_batch_size": 16}
SPEECH = {"max_steps": 300, "per_device_train_batch_size": 32, "learning_rate": 1e-3}
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
    other = reviews(target)
    if strategy == "lora" or (source, target) not in WHOLE:
        other = {**other, "limit": {"train": 1000, "test": 1000}}
    return Pair({**TEXT, "strategy": strategy}, MINILM, REVIEWS, reviews(source), other)


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


def recipe_of(shared: Path, pair: str, arm: str, seed: int, runs: Path) -> dict[str, Any]:
    """Return the recipe of one run."""
    sections, checkpoint, training, source, target, write = PAIRS[pair]
    if write:
        write(shared / "data", runs)
        source, target = ({**each, "path": str(runs / each["path"])} for each in (source, target))
    data, (method, _, augmented) = data_of(shared, source), arm.partition(", ")
    data["splits"] = {**data.get("splits", {}), "validation": 0.1, "test": None}
    data["limit"] = {"train": 1000, "validation": 100, **data.get("limit", {})}
    return {
        **LAST,
        **sections,
        "name": "benchmark",
        "model": model_of(shared, sections, checkpoint, runs),
        "data": {**data, "target": data_of(shared, target)},
        "adaptation": None if method == "source only" else method,
        "augmentation": AUGMENTATION if augmented else None,
        "training": {**training, "seed": seed, "eval_strategy": "no", "output_dir": str(runs)},
    }


def model_of(
    shared: Path, sections: dict[str, Any], checkpoint: str | None, runs: Path
) -> dict[str, Any]:
    """Return the section of the model."""
    if checkpoint is None:
        make = tables.small_ast if sections is SOUND else tables.resnet
        return {"checkpoint": str(make(runs / "network"))}
    size = {"image_size": 64} if checkpoint == MOBILENET else {}
    return {"checkpoint": str(shared / "checkpoints" / checkpoint), **size}


def run(shared: Path, pair: str, arm: str, seed: int) -> Iterator[dict[str, Any]]:
    """Train and score once."""
    with tempfile.TemporaryDirectory() as folder:
        metrics = measure(recipe_of(shared, pair, arm, seed, Path(folder)))
    scores = {split: metrics[split]["accuracy"] for split in ("validation", "target")}
    yield {"pair": pair, "arm": arm, "seed": seed, **scores}


def table(results: list[dict[str, Any]]) -> str:
    """Format mean and deviation over seeds, and what each method adds to the source alone.

    The last row has the differences of all runs, each paired with that of its pair and seed, and
    how many are above 0.
    """
    scores = {(r["pair"], r["arm"], r["seed"]): 100 * r["target"] for r in results}
    arms = [arm for arm in ARMS if any(arm == key[1] for key in scores)]
    lines = [f"| | {' | '.join(arms)} |", f"|---{'|--:' * len(arms)}|"]
    for pair in PAIRS:
        cells = [[s for (p, a, _), s in scores.items() if (p, a) == (pair, arm)] for arm in arms]
        if any(cells):
            lines.append(f"| {pair} | {' | '.join(map(mean_and_deviation, cells))} |")
    sums = []
    for arm in arms[1:]:
        pairs = {(p, ARMS[0], n): s for (p, a, n), s in scores.items() if a == arm}
        gains = [score - scores[key] for key, score in pairs.items() if key in scores]
        sums.append(
            f"{mean_and_deviation(gains)}, {sum(gain > 0 for gain in gains)} of {len(gains)}"
        )
    return "\n".join([*lines, f"| difference | | {' | '.join(sums)} |"])


def main() -> None:
    """Run what RESULTS lacks, and print the table."""
    sweep = Sweep.parsed(__doc__, seed=SEEDS, pair=PAIRS, arm=ARMS)
    print(table(sweep.complete(partial(run, sweep.shared))))


if __name__ == "__main__":
    main()
