"""Small pretrained encoders on public data sets, each recipe with nothing but its strategy changed.

    python benchmarks/real_data.py SHARED [ROW …]

`SHARED` holds `data/<name>/<split>.parquet` and `checkpoints/<name>/`. Prints a line of a table for
each row: the scores on validation, which chose the checkpoint, and on test, which was scored once.
One run and one seed a line: differences below a point say nothing.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from pipelines import recipe
from pipelines.workflow import run as pipeline

MINILM, MOBILENET = "all-MiniLM-L6-v2", "mobilenetv2_100-in1k"
SIDES = {"flowers5": 128, "cifar10": 96}  # pixels, instead of ImageNet's 224: a step is shorter
TEXT = {"learning_rate": 5e-5, "bf16": True, "train_sampling_strategy": "group_by_length"}
IMAGE = {"num_train_epochs": 3, "learning_rate": 1e-3, "bf16": True}


def row(task: Any, checkpoint: str, path: str, training: dict[str, Any], **sections: Any) -> Any:
    """Return a recipe without its strategy; model and data go by their folders' names."""
    data = {"source": "files", "path": path, **sections.pop("data", {})}
    return {"task": task, "model": checkpoint, "data": data, "training": training, **sections}


def text(
    data: str, epochs: int, metrics: list[Any], limit: dict[str, int] | None = None, **columns: str
) -> Any:
    """Return a recipe for MiniLM on texts, at most 128 tokens."""
    task = {"name": "text_classification", "max_length": 128}
    training = {**TEXT, "num_train_epochs": epochs}
    return row(
        task,
        MINILM,
        data,
        training,
        metrics=metrics,
        data={"columns": columns, "limit": limit or {}},
    )


def images(data: str, **limit: int) -> Any:
    """Return a recipe for MobileNet-v2, three epochs."""
    return row("image_classification", MOBILENET, data, IMAGE, data={"limit": limit})


PAIR = {"text": "sentence1", "text_pair": "sentence2"}
F1S = [{"name": "f1", "average": "micro"}, {"name": "f1", "average": "macro"}]
SMALL = {"train": 8000, "validation": 2000, "test": 2000}
ROWS = {
    "mrpc": text("mrpc", 4, ["accuracy", "f1"], **PAIR),
    "stsb": text("stsb", 4, ["pearson", "spearman"], **PAIR),
    "cola": text("cola", 4, ["matthews_correlation", "accuracy"], text="sentence"),
    "banking77": text("banking77", 6, ["accuracy"], text="text"),
    "go_emotions": text("go_emotions", 3, F1S, SMALL, text="text", label="labels"),
    "wnut17": row("token_classification", MINILM, "wnut17", {**TEXT, "num_train_epochs": 5}),
    "flowers5": images("flowers5_128px", train=1500),
    "cifar10": images("cifar10_small", train=2000, test=2000),
}
STRATEGIES = {"text": ("linear_probe", "full"), "image": ("linear_probe", "full", "scratch")}


def run(shared: Path, name: str, strategy: str, runs: str) -> dict[str, Any]:
    """Run once and return the metrics."""
    values = ROWS[name]
    checkpoint = shared / "checkpoints" / values["model"]
    paths = {
        "model": str(of_side(checkpoint, SIDES[name], runs) if name in SIDES else checkpoint),
        "data": {**values["data"], "path": str(shared / "data" / values["data"]["path"])},
    }
    training = {**values["training"], "output_dir": runs}
    file = Path(runs) / f"{name}_{strategy}.yaml"
    file.write_text(yaml.safe_dump({**values, **paths, "strategy": strategy, "training": training}))
    return json.loads(pipeline.run(recipe.load(file)).metrics.read_text())


def of_side(checkpoint: Path, side: int, runs: str | Path) -> Path:
    """Copy one of timm's checkpoints, for smaller images."""
    copy = Path(runs) / f"{checkpoint.name}_{side}"
    shutil.copytree(checkpoint, copy, dirs_exist_ok=True)
    config = json.loads((copy / "config.json").read_text())
    config["pretrained_cfg"]["input_size"] = [3, side, side]
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def main(shared: str, *names: str) -> None:
    """Run the rows that are named, or all, and print a table."""
    with tempfile.TemporaryDirectory() as runs:
        print("| data | strategy | trained parameters | seconds | validation | test |")
        print("|---|---|---:|---:|---|---|")
        for name in names or ROWS:
            modality = "image" if ROWS[name]["model"] == MOBILENET else "text"
            for strategy in STRATEGIES[modality]:
                metrics = run(Path(shared), name, strategy, runs)
                train, scores = metrics["training"], (metrics["validation"], metrics["test"] or {})
                shown = [", ".join(f"{k} {v:.4f}" for k, v in s.items()) or "-" for s in scores]
                cells = f"{train['trainable_parameters']:,}", f"{train['seconds']:.0f}", *shown
                print("|", " | ".join([name, strategy, *cells]), "|", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
