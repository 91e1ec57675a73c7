"""What do batches of one length, and bf16, cost in accuracy? MiniLM, fully fine-tuned, five seeds.

    python benchmarks/batches.py SHARED [DATA …] [--processes 1]

`SHARED` holds `data/<name>/<split>.parquet` and `checkpoints/<name>/`. Every arm of a data set sees
the same examples; the score is accuracy on the last epoch's model, on validation. Prints each arm's
mean and spread over seeds, and those of its difference from batches drawn at random, by seed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

SEEDS = range(1, 6)
RANDOM = "at random, float32"
ARMS = {
    RANDOM: {"bf16": False},
    "at random, bf16": {"bf16": True},
    "by length, bf16": {"bf16": True, "train_sampling_strategy": "group_by_length"},
}
DATA = {  # columns, rows, epochs, learning rate
    "sst2": ({"text": "sentence"}, 4000, 2, 5e-5),
    "ag_news_small": ({"text": "text"}, 3000, 1, 5e-5),
    "banking77": ({"text": "text"}, 5000, 3, 2e-4),
}


def score(shared: Path, data: str, arm: str, seed: int) -> float:
    """Return the accuracy of one run."""
    import yaml

    from pipelines import recipe
    from pipelines.workflow import run as pipeline

    columns, rows, epochs, rate = DATA[data]
    values: dict[str, Any] = {
        "task": {"name": "text_classification", "max_length": 128},
        "model": str(shared / "checkpoints/all-MiniLM-L6-v2"),
        "data": {
            "source": "files",
            "path": str(shared / "data" / data),
            "columns": columns,
            "splits": {"test": None},
            "limit": {"train": rows, "validation": 2000},
        },
        "strategy": "full",
        "early_stopping": None,
    }
    training = {"learning_rate": rate, "num_train_epochs": epochs, "eval_strategy": "no"}
    with tempfile.TemporaryDirectory() as runs:
        file = Path(runs) / "batches.yaml"
        values["training"] = {**training, "seed": seed, "output_dir": runs, **ARMS[arm]}
        file.write_text(yaml.safe_dump(values))
        metrics = json.loads(pipeline.run(recipe.load(file)).metrics.read_text())
    return metrics["validation"]["accuracy"]


def score_alone(shared: Path, run: tuple[str, str, int]) -> float:
    """Return the same from a process of its own."""
    data, arm, seed = run
    command = [sys.executable, __file__, str(shared), data, "--one", arm, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{run}\n{done.stderr[-2000:]}")
    accuracy = float(done.stdout.splitlines()[-1])
    print(f"  {data}, {arm}, seed {seed}: {accuracy:.4f}", file=sys.stderr, flush=True)
    return accuracy


def table(data: str, accuracies: dict[str, list[float]]) -> Iterator[str]:
    """Yield a line for each arm."""
    for arm, scores in accuracies.items():
        gains = [one - other for one, other in zip(scores, accuracies[RANDOM], strict=True)]
        difference = "" if arm == RANDOM else f"{_spread(gains, '+')}"
        yield f"| {data} | {arm} | {_spread(scores)} | {difference} |"


def _spread(numbers: list[float], sign: str = "") -> str:
    mean, deviation = statistics.mean(numbers), statistics.stdev(numbers)
    return f"{100 * mean:{sign}.2f} ± {100 * deviation:.2f}"


def main() -> None:
    """Run what is named, or all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("data", nargs="*", choices=[*DATA, []], metavar="DATA")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--one", nargs=2, metavar=("ARM", "SEED"), help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    shared = parsed.shared.resolve()
    if parsed.one:
        print(score(shared, parsed.data[0], parsed.one[0], int(parsed.one[1])))
        return
    print("| data | batches | accuracy, % | difference |\n|---|---|---:|---:|")
    with ThreadPoolExecutor(parsed.processes) as pool:
        for data in parsed.data or DATA:
            runs = product([data], ARMS, SEEDS)
            scores = iter([*pool.map(partial(score_alone, shared), runs)])
            accuracies = {arm: [next(scores) for _ in SEEDS] for arm in ARMS}
            print("\n".join(table(data, accuracies)), flush=True)


if __name__ == "__main__":
    main()
