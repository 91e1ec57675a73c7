"""Strategies beside each other on small and large data: scores, spread, cost.

    python benchmarks/strategies.py SHARED RESULTS [--data NAME …] [--processes 2]

`SHARED` holds `data/<name>/<split>.parquet` and `checkpoints/<name>/`. Every run is a line of the
file RESULTS; what is there already is not run again: a killed benchmark goes on. Then prints a
table: test accuracy in per cent, mean and deviation over three seeds, each with its own draw of
examples, which all strategies share.

All that differs from a strategy's defaults: at least STEPS steps, where a few examples would be
seen by a handful, and four evaluations on the way. Validation chooses, test is scored once.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

SEEDS = (1, 2, 3)
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
MINILM, MOBILENET = "all-MiniLM-L6-v2", "mobilenetv2_100-in1k"
TEXT = {"task": {"name": "text_classification", "max_length": 64}, "model": MINILM}
IMAGE = {"task": "image_classification", "model": MOBILENET}
# classes, at most as many examples in all, columns
DATA: dict[str, tuple[dict[str, Any], int, int, dict[str, str]]] = {
    "sst2": (TEXT, 2, 1000, {"text": "sentence"}),
    "banking77": (TEXT, 77, 2464, {"text": "text"}),
    "flowers5_128px": (IMAGE, 5, 1000, {}),
    "ag_news_small": (TEXT, 4, 1000, {"text": "text"}),
    "cifar10_small": (IMAGE, 10, 1000, {}),
}


def recipe_of(shared: Path, data: str, size: str, arm: str, seed: int, runs: str) -> dict[str, Any]:
    """The sections of one run."""
    sections, classes, most, columns = DATA[data]
    rows = min(most, (SIZES[size] or most) * classes)
    epochs = max(3, ceil(STEPS / ceil(rows / BATCH)))
    steps = epochs * ceil(rows / BATCH)
    training = {"num_train_epochs": epochs, "eval_strategy": "steps", "eval_steps": ceil(steps / 4)}
    batch = {"per_device_train_batch_size": BATCH, "seed": seed, "output_dir": runs}
    return {
        **sections,
        "name": "benchmark",
        "model": str(_checkpoint(shared, sections["model"], runs)),
        "data": {
            "source": "files",
            "path": str(shared / "data" / data),
            "columns": columns,
            # GLUE hides the labels of its test: validation stands for it
            "splits": {"validation": 0.2, "test": "validation" if data == "sst2" else "test"},
            # as few to choose by as there are to learn from
            "limit": {"train": rows, "validation": max(ceil(rows / 4), 2 * classes), "test": 1000},
        },
        "training": training | batch,
        "early_stopping": None,
        **ARMS[arm],
    }


def _checkpoint(shared: Path, name: str, runs: str) -> Path:
    """Images of 96 pixels: a step is shorter."""
    import shutil

    source = shared / "checkpoints" / name
    if name != MOBILENET:
        return source
    copy = Path(runs) / name
    shutil.copytree(source, copy, dirs_exist_ok=True)
    config = json.loads((copy / "config.json").read_text())
    config["pretrained_cfg"]["input_size"] = [3, 96, 96]
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def run(said: tuple[Path, str, str, str, int]) -> dict[str, Any]:
    """One run, in a process of its own."""
    import contextlib
    import io

    import yaml

    from pipelines import pipeline, recipe

    shared, data, size, arm, seed = said
    with tempfile.TemporaryDirectory() as runs, contextlib.redirect_stdout(io.StringIO()):
        file = Path(runs) / "benchmark.yaml"
        file.write_text(yaml.safe_dump(recipe_of(shared, data, size, arm, seed, runs)))
        metrics = json.loads(pipeline.run(recipe.load(file)).metrics.read_text())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {
        **dict(zip(("data", "size", "arm", "seed"), said[1:], strict=True)),
        "examples": metrics["examples"]["train"],
        "validation": metrics["validation"]["accuracy"],
        "test": metrics["test"]["accuracy"],
        "trainable": metrics["training"]["trainable_parameters"],
        "seconds": metrics["training"]["seconds"],
        "gb": memory,
    }


def rounds(shared: Path, results: Path, names: Iterable[str], processes: int) -> list[Any]:
    """Everything that was asked for, from the file or from a new run."""
    done = (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )
    known = {(r["data"], r["size"], r["arm"], r["seed"]) for r in done}
    asked = [key for key in product(names, SIZES, ARMS, SEEDS) if _is_size_of(*key[:2])]
    todo = [key for key in asked if key not in known]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["transformers.trainer", "pipelines.pipeline"])
    with context.Pool(processes, maxtasksperchild=1) as pool, results.open("a") as file:
        for found in pool.imap(run, [(shared, *key) for key in todo]):
            file.write(json.dumps(found) + "\n")
            file.flush()
            done.append(found)
    return done


def _is_size_of(data: str, size: str) -> bool:
    """Not twice the same number of examples."""
    _, classes, most, _ = DATA[data]
    return size != "all" or most > classes * max(n for n in SIZES.values() if n)


def table(done: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each strategy on each data set; the best mean is bold."""
    yield "| data | examples | strategy | test accuracy | trainable | seconds | peak GB |"
    yield "|---|---:|---|---:|---:|---:|---:|"
    groups: dict[Any, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for result in done:
        groups[result["data"], result["size"]][result["arm"]].append(result)
    for (data, _), arms in groups.items():
        best = max(statistics.mean(r["test"] for r in results) for results in arms.values())
        for arm, results in arms.items():
            scores = [100 * r["test"] for r in results]
            mean, spread = statistics.mean(scores), statistics.stdev(scores)
            bold = "**" if mean >= 100 * best - 1e-9 else ""
            seconds, memory = (statistics.median(r[k] for r in results) for k in ("seconds", "gb"))
            yield (
                f"| {data} | {results[0]['examples']:,} | `{arm}` | {bold}{mean:.1f}{bold} ± "
                f"{spread:.1f} | {results[0]['trainable']:,} | {seconds:.1f} | {memory:.1f} |"
            )


def main() -> None:
    """Run what is lacking and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", nargs="*", choices=DATA, default=list(DATA))
    parser.add_argument("--processes", type=int, default=1)
    said = parser.parse_args()
    done = rounds(said.shared.resolve(), said.results, said.data, said.processes)
    print("\n".join(table([r for r in done if r["data"] in said.data])))


if __name__ == "__main__":
    main()
