"""Adaptation to an unlabeled target beside training on the source alone.

    python benchmarks/adaptation.py SHARED RESULTS [--pair NAME …] [--arm NAME …] [--seed N …]

`SHARED` holds `data/<name>/…parquet` and `checkpoints/<name>/`. Every run is a line of the file
RESULTS; what is there already is not run again. Then prints a table: accuracy on the target in per
cent, mean and deviation over seeds, whose labels nothing but this score has seen. The last
checkpoint counts, and nothing is chosen by the target.

Texts: MiniLM, `full`, 1,000 reviews of one kind of product, of at most 64 tokens, 90 steps of 16.
Digits: a ResNet of four convolutions from scratch, 200 steps of 32.
"""

import argparse
import json
import statistics
import tempfile
from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import Any

METHODS = ("deep_coral", "mmd", "mcc", "dann", "cdan")
ARMS = ("source only", *METHODS)
SEEDS = (1, 2, 3)
TEXT = {"task": {"name": "text_classification", "max_length": 64}, "strategy": "full"}
IMAGE = {"task": "image_classification", "strategy": "scratch"}
REVIEWS = {"max_steps": 90, "per_device_train_batch_size": 16}
DIGITS = {"max_steps": 200, "per_device_train_batch_size": 32, "learning_rate": 1e-3}
USPS = {"path": "usps_small", "splits": {"train": "train.parquet", "test": "test.parquet"}}
MNIST = {"path": "mnist_t10k", "splits": {"train": "test.parquet"}, "limit": {"train": 2000}}


def reviews(name: str) -> dict[str, Any]:
    """Return the section of reviews of one kind of product."""
    columns = {"text": "text", "label": "label"}
    return {"path": f"amazon_multidomain/{name}.parquet", "columns": columns}


# sections, training, source, target
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "usps to mnist": (IMAGE, DIGITS, USPS, MNIST),
    "mnist to usps": (IMAGE, DIGITS, MNIST, USPS),
    "books to electronics": (TEXT, REVIEWS, reviews("books"), reviews("electronics")),
    "books to kitchen": (TEXT, REVIEWS, reviews("books"), reviews("kitchen")),
}


def data_of(shared: Path, section: dict[str, Any]) -> dict[str, Any]:
    """Return a section of data with whole paths."""
    return {"source": "files", **section, "path": str(shared / "data" / section["path"])}


def recipe_of(shared: Path, pair: str, arm: str, seed: int, runs: Path) -> dict[str, Any]:
    """Return the recipe of one run."""
    sections, training, source, target = PAIRS[pair]
    data = data_of(shared, source)
    data["splits"] = {**data.get("splits", {}), "validation": 0.1, "test": None}
    data["limit"] = {"train": 1000, "validation": 100, **data.get("limit", {})}
    is_text = sections is TEXT
    model = shared / "checkpoints" / "all-MiniLM-L6-v2" if is_text else resnet(runs / "resnet")
    return {
        **sections,
        "name": "benchmark",
        "model": str(model),
        "data": {**data, "target": data_of(shared, target)},
        "adaptation": None if arm == "source only" else arm,
        "training": {**training, "seed": seed, "eval_strategy": "no", "output_dir": str(runs)},
        "early_stopping": None,
        "calibration": None,
        "simple_model": False,
        "printed_lines": False,
    }


def resnet(folder: Path) -> Path:
    """Save a small network for images of 28 pixels, and its processor."""
    from transformers import ResNetConfig, ResNetModel, ViTImageProcessor

    sizes: dict[str, Any] = {"embedding_size": 16, "hidden_sizes": [32, 64], "depths": [1, 1]}
    ResNetModel(ResNetConfig(layer_type="basic", **sizes)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 28, "width": 28}).save_pretrained(folder)
    return folder


def run(shared: Path, pair: str, arm: str, seed: int) -> dict[str, Any]:
    """Train and score once."""
    from pipelines import recipe
    from pipelines.workflow import run as pipeline

    with tempfile.TemporaryDirectory() as folder:
        values = recipe_of(shared, pair, arm, seed, Path(folder))
        metrics = json.loads(pipeline.run(recipe.Recipe.from_dict(values)).metrics.read_text())
    scores = {split: metrics[split]["accuracy"] for split in ("validation", "target")}
    return {"pair": pair, "arm": arm, "seed": seed, **scores}


def table(results: list[dict[str, Any]]) -> str:
    """Format mean and deviation over seeds: a row for each arm, a column for each pair."""
    scores = defaultdict(list)
    for result in results:
        scores[result["arm"], result["pair"]].append(100 * result["target"])
    pairs = [pair for pair in PAIRS if any(pair == known for _, known in scores)]
    lines = [f"| | {' | '.join(pairs)} |", f"|---{'|--:' * len(pairs)}|"]
    for arm in ARMS:
        cells = (_cell(scores[arm, pair]) for pair in pairs)
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(scores: list[float]) -> str:
    if not scores:
        return ""
    deviation = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.1f}{deviation}"


def main() -> None:
    """Run what RESULTS lacks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--pair", nargs="+", choices=PAIRS, default=[*PAIRS])
    parser.add_argument("--arm", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--seed", nargs="+", type=int, default=SEEDS)
    parsed = parser.parse_args()
    lines = parsed.results.read_text().splitlines() if parsed.results.exists() else []
    results = [json.loads(line) for line in lines]
    known = {(r["pair"], r["arm"], r["seed"]) for r in results}
    for seed, pair, arm in product(parsed.seed, parsed.pair, parsed.arm):
        if (pair, arm, seed) in known:
            continue
        results.append(run(parsed.shared, pair, arm, seed))
        with parsed.results.open("a") as file:
            file.write(json.dumps(results[-1]) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
