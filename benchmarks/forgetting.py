"""What strategies leave of a checkpoint: a probe of another task before and after, and distances.

    python benchmarks/forgetting.py SHARED RESULTS [--arm NAME …] [--seed N …]

`SHARED` holds `data/<name>/…parquet` and `checkpoints/<name>/`. Every run is a line of the file
RESULTS; what is there already is not run again. Prints a table, means over seeds: accuracy on
validation, of a probe of AG News on the encoder before and after, and how far the weights of the
middle block moved, relative to their length.

MiniLM on SST-2: 500 rows of at most 64 tokens, 300 rows of validation, 90 steps of 16, and the last
checkpoint. Rates are each strategy's own.
"""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bare_recipe import LAST, measure
from spread import mean_and_deviation
from sweep import Sweep

SEEDS = (1, 2, 3)
ARMS: dict[str, dict[str, Any]] = {
    "full": {"strategy": "full"},
    "full, l2_sp 0.01": {"strategy": "full", "regularization": {"l2_sp": 0.01}},
    "full, l2_sp 1": {"strategy": "full", "regularization": {"l2_sp": 1.0}},
    "lora": {"strategy": "lora"},
    "top_layers": {"strategy": "top_layers"},
    "lp_ft": {"strategy": "lp_ft"},
    "lp_ft, wise_ft": {"strategy": "lp_ft", "averaging": {"wise_ft": True}},
    "linear_probe": {"strategy": "linear_probe"},
}
STEPS = {"max_steps": 90, "per_device_train_batch_size": 16, "eval_strategy": "no"}
KEYS = ("accuracy", "before", "after", "moved")


def run(shared: Path, arm: str, seed: int) -> Iterator[dict[str, Any]]:
    """Train and score once."""
    data = shared / "data"
    with tempfile.TemporaryDirectory() as folder:
        values = {
            **LAST,
            "name": "benchmark",
            "task": {"name": "text_classification", "max_length": 64},
            "model": str(shared / "checkpoints" / "all-MiniLM-L6-v2"),
            "data": {
                "source": "files",
                "path": str(data / "sst2"),
                "columns": {"text": "sentence"},
                "splits": {"test": None},
                "limit": {"train": 500, "validation": 300},
            },
            "training": {**STEPS, "seed": seed, "output_dir": folder},
            "evaluation": {"forgetting": {"path": str(data / "ag_news_small")}},
            **ARMS[arm],
        }
        metrics = measure(values)
    measured = metrics["forgetting"]
    blocks = [moved for depth, moved in measured["distances"].items() if depth.startswith("block")]
    yield {
        "arm": arm,
        "seed": seed,
        "accuracy": metrics["validation"]["accuracy"],
        "before": measured["before"],
        "after": measured["after"],
        "moved": blocks[len(blocks) // 2],
        "alpha": metrics["training"]["chosen"].get("alpha"),
    }


def table(results: list[dict[str, Any]]) -> str:
    """Format means and deviations over seeds, in per cent."""
    lines = [
        "| | SST-2 | AG News before | after | middle block moved |",
        "|---|---:|---:|---:|---:|",
    ]
    for arm in ARMS:
        runs = [result for result in results if result["arm"] == arm]
        if runs:
            cells = (mean_and_deviation([100 * each[key] for each in runs]) for key in KEYS)
            lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what RESULTS lacks, and print the table."""
    sweep = Sweep.parsed(__doc__, seed=SEEDS, arm=ARMS)
    print(table(sweep.complete(partial(run, sweep.shared))))


if __name__ == "__main__":
    main()
