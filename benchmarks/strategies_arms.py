"""The runs of `strategies.py`: what is trained, on which rows, and what came of it."""

import contextlib
import io
import json
import resource
import tempfile
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from real_data import of_side

STEPS, BATCH = 90, 16
SIZES: dict[str, int | None] = {"8": 8, "32": 32, "all": None}  # examples of each class
ARMS: dict[str, dict[str, Any]] = {
    "linear_probe": {"strategy": "linear_probe"},
    "full": {"strategy": "full"},
    "lora": {"strategy": "lora"},
    "gradual_unfreezing": {"strategy": "gradual_unfreezing"},
    "lp_ft": {"strategy": "lp_ft"},
    "lp_ft, wise_ft": {"strategy": "lp_ft", "averaging": {"wise_ft": True}},
}
AUTO = "auto"  # decides, and has the result of the run that it would be
MINILM, MOBILENET = "all-MiniLM-L6-v2", "mobilenetv2_100-in1k"
TEXT = {"task": {"name": "text_classification", "max_length": 64}, "model": MINILM}
IMAGE = {"task": "image_classification", "model": MOBILENET}
# classes, at most as many examples in all, columns
DATA: dict[str, tuple[dict[str, Any], int, int, dict[str, str]]] = {
    "sst2": (TEXT, 2, 1000, {"text": "sentence"}),
    "banking77": (TEXT, 77, 2464, {"text": "text"}),
    "flowers5_128px": (IMAGE, 5, 1000, {}),
    "ag_news_small": (TEXT, 4, 128, {"text": "text"}),  # few examples only: an hour less
    "cifar10_small": (IMAGE, 10, 320, {}),
    "mrpc": (TEXT, 2, 1000, {"text": "sentence1", "text_pair": "sentence2"}),
}


class Cell(NamedTuple):
    """One run.

    Attributes:
        steps: to train for; None: as many as there are by default.
    """

    shared: Path
    data: str
    size: str
    arm: str
    seed: int
    steps: int | None

    @property
    def key(self) -> dict[str, Any]:
        """What tells it from others."""
        return {"data": self.data, "size": self.size, "arm": self.arm, "seed": self.seed}


def recipe_of(cell: Cell, runs: str) -> dict[str, Any]:
    """Return the sections of one run."""
    sections, classes, limit, columns = DATA[cell.data]
    rows = min(limit, (SIZES[cell.size] or limit) * classes)
    epochs = max(3, ceil(STEPS / ceil(rows / BATCH)))
    steps = cell.steps or epochs * ceil(rows / BATCH)
    length = {"max_steps": cell.steps} if cell.steps else {"num_train_epochs": epochs}
    training = {**length, "eval_strategy": "steps", "eval_steps": ceil(steps / 4)}
    batch = {"per_device_train_batch_size": BATCH, "seed": cell.seed, "output_dir": runs}
    return {
        **sections,
        "name": "benchmark",
        "model": str(_checkpoint(cell.shared, sections["model"], runs)),
        "data": {
            "source": "files",
            "path": str(cell.shared / "data" / cell.data),
            "columns": columns,
            # GLUE hides the labels of its test: validation stands for it
            "splits": {"validation": 0.2, "test": "validation" if cell.data == "sst2" else "test"},
            # as few to choose by as there are to learn from
            "limit": {"train": rows, "validation": max(ceil(rows / 4), 2 * classes), "test": 1000},
        },
        "training": training | batch,
        "early_stopping": None,
        **ARMS.get(cell.arm, {"strategy": cell.arm}),
    }


def _checkpoint(shared: Path, name: str, runs: str) -> Path:
    """Return the folder of a checkpoint; one of images takes 96 pixels, whose step is shorter."""
    source = shared / "checkpoints" / name
    return of_side(source, 96, Path(runs)) if name == MOBILENET else source


def run(cell: Cell) -> dict[str, Any]:
    """Train once, in a process of its own; of `auto`, return what it would be."""
    with _recipe(cell) as recipe:
        from pipelines.workflow import run as pipeline

        if cell.arm == AUTO:
            chosen = pipeline.prepare(recipe).recipe
            arm = chosen.strategy.name + (", wise_ft" if chosen.averaging.wise_ft else "")
            return {**cell.key, "chosen": arm, "reason": chosen.strategy.reason}
        metrics = json.loads(pipeline.run(recipe).metrics.read_text())
    return {
        **cell.key,
        "examples": metrics["examples"]["train"],
        "validation": metrics["validation"]["accuracy"],
        "test": metrics["test"]["accuracy"],
        "trainable": metrics["training"]["trainable_parameters"],
        "seconds": metrics["training"]["seconds"],
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


@contextlib.contextmanager
def _recipe(cell: Cell) -> Iterator[Any]:
    """Load the recipe of a run, for as long as its folder is there; nothing is printed."""
    import yaml

    from pipelines import recipe

    with tempfile.TemporaryDirectory() as runs, contextlib.redirect_stdout(io.StringIO()):
        file = Path(runs) / "benchmark.yaml"
        file.write_text(yaml.safe_dump(recipe_of(cell, runs)))
        yield recipe.load(file)


def is_size_of(data: str, size: str) -> bool:
    """Return whether a data set has so many examples, and not the same ones by another size."""
    _, classes, limit, _ = DATA[data]
    return size != "all" or limit > classes * max(n for n in SIZES.values() if n)
